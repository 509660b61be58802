// Icons as lines, and the marks of the gate: shape tells the verdict, colour repeats it.

import type { ReactElement } from 'react';
import { markNames, type GateMark } from '../model/event-facts.ts';

const paths = {
  live: 'M1.5 8h13M4 8V4.5M7 8V2.5M10 8V5.5M13 8V4M5.5 8v3M11.5 8v4.5',
  access:
    'M2 9.5v3A1.5 1.5 0 0 0 3.5 14h9a1.5 1.5 0 0 0 1.5-1.5v-3M2 9.5h3.3l1 1.8h3.4l1-1.8H14M2 9.5l2-5.8M14 9.5l-2-5.8M8 1.5v5.3M5.9 4.8 8 6.9l2.1-2.1',
  sessions: 'M2 4.5 8 1.5l6 3-6 3-6-3ZM2 8l6 3 6-3M2 11.5l6 3 6-3',
  policy: 'M3.5 1.5h6l3 3v10h-9v-13ZM9.5 1.5v3h3M5.8 8h4.4M5.8 11h2.7',
  overview: 'M1.5 13.5h13M3 13.5v-4M6.5 13.5v-7M10 13.5v-5M13.5 13.5v-9',
  key: 'M8 11a3 3 0 1 1-6 0 3 3 0 0 1 6 0ZM7.2 8.8l6-6M11 5l2 2',
  search: 'M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0ZM10.5 10.5l4 4',
  close: 'm3.5 3.5 9 9M12.5 3.5l-9 9',
  warn: 'M8 2 14.5 13.5h-13L8 2ZM8 6.500v3.200M8 11.600v.3',
  theme: 'M13.500 8a5.500 5.500 0 1 1-11 0 5.500 5.500 0 0 1 11 0ZM8 2.500v11M9.500 3v10M11 4v8',
  out: 'M6 2.500H2.500v11H6M6.500 8h8M11.500 5l3 3-3 3',
  settings: 'M2 4.500h7M12.500 4.500H14M2 11.500h1.500M7 11.500h7M9 3v3h3.500V3H9ZM3.500 10v3H7v-3H3.500Z',
  back: 'm10 3-5 5 5 5',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }): ReactElement {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}

export function Brand(): ReactElement {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d="M1.5 10H18M14.5 6.5 18 10l-3.5 3.5" />
      <path d="M9 2v4.5M9 13.5V18" strokeWidth="2.6" />
    </svg>
  );
}

const gate = 'M8 2v2M8 8v2';

function MarkLines({ of }: { readonly of: GateMark }): ReactElement {
  switch (of) {
    case 'allow':
      return <path d={`M1 6h16M13.5 3l3 3-3 3${gate}`} stroke="var(--ink3)" />;
    case 'deny':
      return (
        <>
          <path d="M1 6h5.5" stroke="var(--deny)" />
          <path d="M9 1.2v9.6" stroke="var(--deny)" strokeWidth="3.2" />
        </>
      );
    case 'error':
      return (
        <>
          <path d={`M1 6h9${gate}`} stroke="var(--error)" />
          <path d="m12.5 3.5 4.5 5M17 3.5l-4.5 5" stroke="var(--error)" strokeWidth="1.7" />
        </>
      );
    case 'observe':
      return (
        <>
          <path d="M1 6h16M13.5 3l3 3-3 3" stroke="var(--observe)" />
          <path
            d="M8 .8v10.4"
            stroke="var(--observe)"
            strokeWidth="2.6"
            strokeLinecap="butt"
            strokeDasharray="2.2 1.7"
          />
        </>
      );
    case 'unknown':
      return (
        <>
          <path d="M1 6h16" stroke="var(--ink3)" strokeDasharray="1.5 2.5" />
          <path d={gate} stroke="var(--ink3)" />
        </>
      );
    case 'info':
      return <circle cx="8" cy="6" r="2" stroke="var(--ink3)" />;
    case 'alarm':
      return <path d="M8 1.2 13.4 10.800H2.600L8 1.200ZM8 5v2.400" stroke="var(--error)" />;
  }
}

export function Mark({ of }: { readonly of: GateMark }): ReactElement {
  return (
    <svg
      width="18"
      height="12"
      viewBox="0 0 18 12"
      fill="none"
      strokeWidth="1.4"
      strokeLinecap="round"
      role="img"
      aria-label={markNames[of]}
    >
      <MarkLines of={of} />
    </svg>
  );
}
