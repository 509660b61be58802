// Views that somebody saved: filters by a name, and the way to keep the one that is written.

import { type ReactElement, useRef, useState } from 'react';
import { viewsMost, withoutView, withView } from '../../model/saved-views.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk, useViews } from '../../parts/operator.ts';

interface SavedViewsProps {
  readonly filter: string;
  readonly show: (filter: string) => void;
}

export function SavedViews({ filter, show }: SavedViewsProps): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const views = useViews();
  const { views: kept } = useDesk();
  const close = (): void => dialog.current?.close();
  return (
    <>
      <button type="button" className="btn hm" onClick={() => dialog.current?.showModal()}>
        Views{views.length === 0 ? '' : <span className="m"> {views.length}</span>}
      </button>
      <dialog ref={dialog} className="help views" aria-labelledby="views-title">
        <div className="line">
          <h1 id="views-title">Views</h1>
          <span className="sp" />
          <button type="button" className="btn" onClick={close}>
            Close
          </button>
        </div>
        {views.length === 0 ? (
          <p className="m2">None is saved. A view is a filter by a name, kept in this browser.</p>
        ) : null}
        <ul>
          {views.map(({ name, filter: saved }) => (
            <li key={name} className="pairline">
              <button
                type="button"
                className="btn q el"
                onClick={() => {
                  show(saved);
                  close();
                }}
              >
                <b>
                  <Clean text={name} max={80} />
                </b>{' '}
                <span className="m mono">
                  <Clean text={saved === '' ? 'everything' : saved} max={120} />
                </span>
              </button>
              <button
                type="button"
                className="btn"
                aria-label={`Remove the view ${name}`}
                onClick={() => kept.change(withoutView(views, name))}
              >
                Remove
              </button>
            </li>
          ))}
        </ul>
        <SaveForm
          isFull={views.length >= viewsMost}
          save={(name) => kept.change(withView(views, { name, filter }))}
        />
      </dialog>
    </>
  );
}

interface SaveFormProps {
  readonly isFull: boolean;
  readonly save: (name: string) => void;
}

function SaveForm({ isFull, save }: SaveFormProps): ReactElement {
  const [name, setName] = useState('');
  return (
    <form
      className="line after"
      onSubmit={(event) => {
        event.preventDefault();
        save(name);
        setName('');
      }}
    >
      <input
        className="field"
        aria-label="Name of the view"
        placeholder="A name for this view"
        maxLength={60}
        autoComplete="off"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit" className="btn p" disabled={name.trim() === '' || isFull}>
        Save view
      </button>
      {isFull ? <span className="sub">There are as many as there can be.</span> : null}
    </form>
  );
}
