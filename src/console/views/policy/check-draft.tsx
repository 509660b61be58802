// A draft: pasted or written here, checked as the gateway would read it. Nothing is changed by it.

import { type ReactElement, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ApiFault } from '../../api/admin-client.ts';
import { plural } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { useDesk } from '../../parts/operator.ts';

type Checked = OutputOf<'checkPolicy'>;

interface CheckDraftProps {
  readonly draft: string;
  readonly change: (draft: string) => void;
}

const example = `rules:
  - name: api-items-create
    hosts: api.example.com
    methods: POST
    paths: /v1/items`;

export function CheckDraft({ draft, change }: CheckDraftProps): ReactElement {
  const { client } = useDesk();
  const [checked, setChecked] = useState<Checked>();
  const [fault, setFault] = useState('');
  const check = async (): Promise<void> => {
    setFault('');
    try {
      setChecked(
        await client.post('checkPolicy', '/v1/policy/check', {
          files: [{ name: 'draft.yaml', text: draft }],
        }),
      );
    } catch (error) {
      setFault(error instanceof ApiFault ? error.message : 'The page has a fault.');
    }
  };
  return (
    <div className="imp">
      <section className="sec">
        <div className="sech">
          <h2>Draft</h2>
          <span className="sub">explained beside the policy in force; nothing changes</span>
        </div>
        <textarea
          className="field"
          aria-label="A policy file"
          rows={16}
          spellCheck={false}
          placeholder={example}
          value={draft}
          onChange={(event) => {
            change(event.target.value);
            setChecked(undefined);
          }}
        />
        <div className="acts">
          <button type="button" className="btn p" disabled={draft.trim() === ''} onClick={() => void check()}>
            Check the draft
          </button>
        </div>
        {fault === '' ? null : (
          <p className="fault after" role="alert">
            <Clean text={fault} max={800} />
          </p>
        )}
        {checked === undefined ? null : <Problems checked={checked} />}
      </section>
      <section className="sec">
        <div className="sech">
          <h2>To change the policy</h2>
        </div>
        <p className="m2">
          Write the file that the configuration names; the gateway takes it within a second, or keeps the one
          before and says why. A rule that denies wins over all that allow, wherever it stands.
        </p>
      </section>
    </div>
  );
}

function Problems({
  checked: { ok, rules, version, problems },
}: {
  readonly checked: Checked;
}): ReactElement {
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
      {problems.map((problem) => (
        <div className="problem" key={`${problem.line ?? ''}:${problem.column ?? ''} ${problem.message}`}>
          <Icon name="warn" size={13} />
          <span>
            <span className="m">{problem.line === undefined ? '' : `line ${problem.line}: `}</span>
            <Clean text={problem.message} max={800} />
          </span>
        </div>
      ))}
    </div>
  );
}
