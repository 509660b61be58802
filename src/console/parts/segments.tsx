// A choice of few, all in view.

import type { ReactElement } from 'react';
import { plainText } from '../model/clean-text.ts';

interface SegmentsProps<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly choices: readonly {
    readonly value: Value;
    readonly name: string;
    readonly isOff?: boolean;
    readonly why?: string;
  }[];
  readonly choose: (value: Value) => void;
}

export function Segments<Value extends string>({
  label,
  value,
  choices,
  choose,
}: SegmentsProps<Value>): ReactElement {
  return (
    <div className="seg" role="group" aria-label={label}>
      {choices.map((one) => (
        <button
          key={one.value}
          type="button"
          aria-pressed={one.value === value}
          disabled={one.isOff === true}
          title={one.why === undefined ? undefined : plainText(one.why)}
          onClick={() => choose(one.value)}
        >
          {one.name}
        </button>
      ))}
    </div>
  );
}
