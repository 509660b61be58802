// The filter: what is typed is the address. Keys are completed with what is held, and how often.

import {
  type ChangeEvent,
  type KeyboardEvent,
  type ReactElement,
  type RefObject,
  useEffect,
  useMemo,
  useState,
} from 'react';
import type { EventFeed } from '../../api/event-feed.ts';
import { countText } from '../../model/display.ts';
import { completionsAt, type Completion } from '../../model/filter-completion.ts';
import { parseFilter } from '../../model/filter-language.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';

interface FilterFieldProps {
  readonly text: string;
  readonly feed: EventFeed;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly change: (text: string) => void;
}

export function FilterField({ text, feed, field, change }: FilterFieldProps): ReactElement {
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const [caret, setCaret] = useState(text.length);
  const [scroll, setScroll] = useState(0);
  const { problems } = useMemo(() => parseFilter(text), [text]);
  const completions = isOpen ? completionsAt(text, caret, feed.held.events) : [];
  const take = ({ from, to, insert }: Completion): void => {
    change(`${text.slice(0, from)}${insert}${text.slice(to)}`);
    setCaret(from + insert.length);
    setChosen(-1);
  };
  const type = (event: ChangeEvent<HTMLInputElement>): void => {
    setOpen(true);
    setChosen(-1);
    setCaret(event.target.selectionStart ?? event.target.value.length);
    change(event.target.value);
  };
  const press = (event: KeyboardEvent<HTMLInputElement>): void => {
    const act = pressed(event.key, { isOpen, chosen, count: completions.length });
    if (act === undefined) return;
    event.preventDefault();
    if (act.opens !== undefined) setOpen(act.opens);
    if (act.chosen !== undefined) setChosen(act.chosen);
    const one = act.takes === undefined ? undefined : completions[act.takes];
    if (one !== undefined) take(one);
    if (act.leaves === true) event.currentTarget.blur();
  };
  return (
    <div className="filter" role="search">
      <Icon name="search" size={14} />
      <div className="t">
        <Highlighted text={text} scroll={scroll} />
        <input
          ref={field}
          value={text}
          {...fieldLook}
          aria-expanded={completions.length > 0}
          aria-activedescendant={chosen < 0 ? undefined : `completion-${chosen}`}
          aria-invalid={problems.length > 0}
          title={plainText(problems.join(' '))}
          onChange={type}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
          onScroll={(event) => setScroll(event.currentTarget.scrollLeft)}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={press}
        />
      </div>
      {problems.length === 0 ? (
        <kbd className="hm">/</kbd>
      ) : (
        <span className="sub fault el">
          <Clean text={problems[0] ?? ''} max={200} />
        </span>
      )}
      <Suggestions completions={completions} chosen={chosen} take={take} />
    </div>
  );
}

interface Pressed {
  readonly opens?: boolean;
  readonly chosen?: number;
  readonly takes?: number;
  readonly leaves?: true;
}

function pressed(
  key: string,
  { isOpen, chosen, count }: { readonly isOpen: boolean; readonly chosen: number; readonly count: number },
): Pressed | undefined {
  const isChosen = chosen >= 0 && chosen < count;
  switch (key) {
    case 'ArrowDown':
      return { opens: true, chosen: Math.min(count - 1, chosen + 1) };
    case 'ArrowUp':
      return { opens: true, chosen: Math.max(-1, chosen - 1) };
    case 'Tab':
      return isChosen ? { takes: chosen } : undefined;
    case 'Enter':
      return isChosen ? { takes: chosen } : { opens: false, leaves: true };
    case 'Escape':
      return isOpen && count > 0 ? { opens: false } : { leaves: true };
    default:
      return undefined;
  }
}

const fieldLook = {
  spellCheck: false,
  autoComplete: 'off',
  maxLength: 2000,
  placeholder: 'verdict:deny  host:*.example.com  -path:/simple/*  took:>2s  since:15m',
  'aria-label': 'Filter',
  role: 'combobox',
  'aria-controls': 'filter-completions',
  'aria-autocomplete': 'list',
} as const;

/** The same text beneath, in colours; the field itself shows only where one types. */
function Highlighted({ text, scroll }: { readonly text: string; readonly scroll: number }): ReactElement {
  const parts = useMemo(() => partsOf(text), [text]);
  return (
    <div className="shown" aria-hidden="true" style={{ transform: `translateX(${-scroll}px)` }}>
      {parts.map(({ at, kind, piece }) => {
        if (kind === 'key') return <i key={at}>{piece}</i>;
        if (kind === 'not') return <u key={at}>{piece}</u>;
        return kind === 'value' ? <b key={at}>{piece}</b> : <span key={at}>{piece}</span>;
      })}
    </div>
  );
}

interface Part {
  readonly at: number;
  readonly kind: 'key' | 'value' | 'not' | 'rest';
  readonly piece: string;
}

function partsOf(text: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  const push = (kind: Part['kind'], end: number): void => {
    if (end > at) parts.push({ at, kind, piece: text.slice(at, end) });
    at = Math.max(at, end);
  };
  for (const { key, isNegated, start, end } of parseFilter(text).terms) {
    push('rest', start);
    if (isNegated) push('not', start + 1);
    if (key !== undefined) push('key', at + key.length + 1);
    push(key === undefined ? 'rest' : 'value', end);
  }
  push('rest', text.length);
  return parts;
}

interface SuggestionsProps {
  readonly completions: readonly Completion[];
  readonly chosen: number;
  readonly take: (completion: Completion) => void;
}

function Suggestions({ completions, chosen, take }: SuggestionsProps): ReactElement {
  useEffect(() => {
    document.querySelector(`#completion-${chosen}`)?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  return (
    <div
      id="filter-completions"
      role="listbox"
      aria-label="Completions"
      className={completions.length === 0 ? 'hidden' : 'suggest'}
    >
      {completions.map((one, at) => (
        <div
          key={one.insert}
          id={`completion-${at}`}
          role="option"
          aria-selected={at === chosen}
          // The field keeps the focus.
          onPointerDown={(event) => {
            event.preventDefault();
            take(one);
          }}
        >
          <span className="el">{one.shown}</span>
          {one.count === undefined ? null : <span className="n">{countText(one.count)}</span>}
        </div>
      ))}
    </div>
  );
}
