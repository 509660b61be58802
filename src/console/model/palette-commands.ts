// The commands of Ctrl K, and what a text finds among them.

import { parseFilter } from './filter-language.ts';
import { plainText } from './clean-text.ts';
import type { SavedView } from './saved-views.ts';

export interface Command {
  readonly name: string;
  readonly key?: string;
  readonly act: { readonly to: string } | { readonly name: 'theme' | 'help' | 'log out' };
}

const live = (filter: string): { readonly to: string } => ({
  to: `/live?${new URLSearchParams({ q: filter }).toString()}`,
});

const all: readonly Command[] = [
  { name: 'Live', key: '1', act: { to: '/live' } },
  { name: 'Access', key: '2', act: { to: '/access' } },
  { name: 'Sessions', key: '3', act: { to: '/sessions' } },
  { name: 'Policy', key: '4', act: { to: '/policy' } },
  { name: 'Overview', key: '5', act: { to: '/overview' } },
  { name: 'Credentials', key: '6', act: { to: '/credentials' } },
  { name: 'Settings', key: '7', act: { to: '/settings' } },
  { name: 'Denied in the last 15 minutes', act: live('verdict:deny since:15m') },
  { name: 'Failed in the last 15 minutes', act: live('verdict:error since:15m') },
  { name: 'Slower than 2 s', act: live('took:>2s') },
  { name: 'Alarms', act: live('kind:alarm') },
  { name: 'Grants in force', act: { to: '/access?tab=granted' } },
  { name: 'Decided requests for access', act: { to: '/access?tab=decided' } },
  { name: 'Sessions that are over', act: { to: '/sessions?all=true' } },
  { name: 'Light or dark', key: 't', act: { name: 'theme' } },
  { name: 'Keys', key: '?', act: { name: 'help' } },
  { name: 'Log out', act: { name: 'log out' } },
];
const shownMost = 12;
const filterShown = 80;

/** Those that have every word in their names; before them a trace, behind them the text as a filter. */
export function commandsFor(text: string, saved: readonly SavedView[] = []): readonly Command[] {
  const asked = text.trim();
  const words = asked.toLowerCase().split(/\s+/);
  const views = saved.map(({ name, filter }) => ({
    name: `View ${plainText(name, filterShown)}`,
    act: live(filter),
  }));
  const found = [...all, ...views].filter(({ name }) =>
    words.every((word) => name.toLowerCase().includes(word)),
  );
  if (asked === '') return found.slice(0, shownMost);
  const trace: readonly Command[] = /^[0-9a-f]{8,32}$/i.test(asked)
    ? [{ name: `Open the exchange ${asked.toLowerCase()}`, act: { to: `/exchange/${asked.toLowerCase()}` } }]
    : [];
  const { terms, problems } = parseFilter(asked);
  const filter: readonly Command[] =
    terms.length === 0 || problems.length > 0
      ? []
      : [{ name: `Filter Live by ${plainText(asked, filterShown)}`, act: live(asked) }];
  return [...trace, ...found.slice(0, shownMost), ...filter];
}
