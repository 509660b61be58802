// The gate line: what was allowed stands above it, what was denied below. What nothing is known of is hatched.

import type { ReactElement } from 'react';
import { plural } from '../model/display.ts';
import type { GateBar } from '../model/gate-line.ts';

interface GateLineProps {
  readonly bars: readonly GateBar[];
  readonly height: number;
  readonly base: number;
  readonly gap: number;
  readonly className?: string;
}

export function GateLine({ bars, height, base, gap, className }: GateLineProps): ReactElement {
  const width = 1000;
  const step = width / bars.length;
  const most = Math.max(1, ...bars.map(({ passed }) => passed));
  const mostStopped = Math.max(1, ...bars.map(({ stopped }) => stopped));
  const unknown = bars.filter(({ isKnown }) => !isKnown).length;
  const [passed, stopped] = [
    bars.reduce((sum, bar) => sum + bar.passed, 0),
    bars.reduce((sum, bar) => sum + bar.stopped, 0),
  ];
  const label = `${plural(passed, 'request', 'requests')} allowed, above the line; ${plural(stopped, 'request', 'requests')} denied, below it`;
  return (
    <svg
      className={`gl ${className ?? ''}`}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {unknown === 0 ? null : (
        <rect x="0" y="0" width={unknown * step} height={height} fill="var(--sunken)" />
      )}
      {bars.map((bar, at) => {
        const up = (bar.passed / most) * (base - 3);
        const down = bar.stopped === 0 ? 0 : Math.max(2, (bar.stopped / mostStopped) * (height - base - 3));
        const x = at * step;
        return (
          <g className="bar" key={bar.startMs}>
            {up === 0 ? null : (
              <rect x={x} y={base - 1 - up} width={step - gap} height={up} fill="var(--pass)" />
            )}
            {down === 0 ? null : (
              <rect x={x} y={base + 1.5} width={step - gap} height={down} fill="var(--deny)" />
            )}
          </g>
        );
      })}
      <path
        d={`M0 ${base}H${width}`}
        stroke="var(--ink3)"
        strokeWidth="1"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
