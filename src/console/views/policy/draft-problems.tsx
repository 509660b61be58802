// What the gateway says of a draft, with a way to each place.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { plural } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';

interface ProblemsProps {
  readonly checked: OutputOf<'checkPolicy'>;
  readonly goTo: (file: string | undefined, line: number) => void;
}

export function DraftProblems({
  checked: { ok, rules, version, problems },
  goTo,
}: ProblemsProps): ReactElement {
  return (
    <div className="after" role="status">
      <p>
        {ok ? (
          <>
            It can be taken: {plural(rules ?? 0, 'rule', 'rules')}, version{' '}
            <span className="mono">{version}</span>.
          </>
        ) : (
          <b className="fault">It cannot be taken.</b>
        )}
      </p>
      {problems.map(({ file, line, column, message }) => (
        <div className="problem" key={`${file ?? ''} ${line ?? ''}:${column ?? ''} ${message}`}>
          <Icon name="warn" size={13} />
          <span>
            {line === undefined ? null : (
              <>
                <button type="button" className="lk" onClick={() => goTo(file, line)}>
                  line {line}
                </button>
                :{' '}
              </>
            )}
            <Clean text={message} max={800} />
          </span>
        </div>
      ))}
    </div>
  );
}
