// A text that is written, with the numbers of its lines; those with a problem are marked.

import { type ReactElement, useRef } from 'react';
import { markedNumbers } from '../../model/policy-lines.ts';

interface DraftTextProps {
  readonly value: string;
  readonly change: (text: string) => void;
  readonly problems: ReadonlySet<number>;
  readonly placeholder: string;
  /** It can be read and not changed. */
  readonly isFixed: boolean;
}

export function DraftText({ value, change, problems, placeholder, isFixed }: DraftTextProps): ReactElement {
  const gutter = useRef<HTMLPreElement>(null);
  return (
    <div className="lined">
      <pre ref={gutter} className="m" aria-hidden="true">
        {markedNumbers(value === '' ? placeholder : value, problems)}
      </pre>
      <textarea
        className="field"
        aria-label="A policy file"
        rows={16}
        wrap="off"
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        placeholder={placeholder}
        value={value}
        readOnly={isFixed}
        onScroll={({ currentTarget }) => {
          if (gutter.current !== null) gutter.current.scrollTop = currentTarget.scrollTop;
        }}
        onChange={(event) => change(event.target.value)}
      />
    </div>
  );
}
