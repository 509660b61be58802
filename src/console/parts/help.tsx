// The keys, in one place.

import type { ReactElement, RefObject } from 'react';

const keys = [
  ['1 – 7', 'the views'],
  ['Ctrl K', 'all commands; a trace, a filter'],
  ['/', 'filter'],
  ['j  k', 'next and previous row, as the arrows'],
  ['Enter', 'open'],
  ['Esc', 'close, back'],
  ['f', 'follow'],
  ['a', 'allow this: the rule that would'],
  ['c', 'copy as curl'],
  ['y', 'copy a link to the exchange'],
  ['p', 'pin a row: it stays at hand'],
  ['r', 'fold repeats'],
  ['.', 'times: local, UTC, how long ago'],
  ['g', 'grant (Access)'],
  ['d', 'deny (Access)'],
  ['t', 'light or dark'],
  ['?', 'this list'],
] as const;

export function Help({ dialog }: { readonly dialog: RefObject<HTMLDialogElement | null> }): ReactElement {
  return (
    <dialog ref={dialog} className="help" aria-labelledby="help-title">
      <div className="line">
        <h1 id="help-title">Keys</h1>
        <span className="sp" />
        <button type="button" className="btn" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <dl>
        {keys.map(([key, what]) => (
          <div key={key} style={{ display: 'contents' }}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className="sub after">
        A key does nothing within 0.6 s after the list changed under it. Filter: key:value, a comma is or, -
        is not, * any text, took:&gt;2s, since:15m.
      </p>
    </dialog>
  );
}
