// What stands around every view: where one is, what waits, whether all is followed.

import { type ReactElement, useMemo, useRef } from 'react';
import { countText, zoneText } from './model/display.ts';
import { plainText } from './model/clean-text.ts';
import { Clean } from './parts/clean.tsx';
import { Help } from './parts/help.tsx';
import { Brand, Icon, type IconName } from './parts/icon.tsx';
import { useKeys } from './parts/keys.ts';
import { Link } from './parts/link.tsx';
import { addressOf, go, type Place, placeOf, useAddress, type ViewName } from './parts/location.ts';
import { useAsked, useDesk, useFeed, useNow, useTimes } from './parts/operator.ts';
import { useNotices } from './parts/notices.ts';
import { Palette } from './parts/palette.tsx';
import { switchTheme } from './parts/theme.ts';
import { View } from './views/view.tsx';

interface Entry {
  readonly view: ViewName;
  readonly name: string;
  readonly icon: IconName;
}

const entries: readonly Entry[] = [
  { view: 'live', name: 'Live', icon: 'live' },
  { view: 'access', name: 'Access', icon: 'access' },
  { view: 'sessions', name: 'Sessions', icon: 'sessions' },
  { view: 'policy', name: 'Policy', icon: 'policy' },
  { view: 'overview', name: 'Overview', icon: 'overview' },
];
const credentials: Entry = { view: 'credentials', name: 'Credentials', icon: 'key' };
const settings: Entry = { view: 'settings', name: 'Settings', icon: 'settings' };
const waitingEveryMs = 3000;
const timesSaid = {
  local: 'Times are local.',
  UTC: 'Times are UTC.',
  ago: 'Times of rows are how long ago.',
} as const;

export function Shell(): ReactElement {
  const address = useAddress();
  const { pathname, search } = new URL(address, location.origin);
  const place = placeOf(pathname, search);
  const help = useRef<HTMLDialogElement>(null);
  const { say, times } = useDesk();
  useTimes();
  const all = [...entries, credentials, settings];
  useKeys({
    '?': () => help.current?.showModal(),
    t: switchTheme,
    '.': () => say(timesSaid[times.next()]),
    ...Object.fromEntries(all.map(({ view }, at) => [String(at + 1), () => go(addressOf(view))])),
  });
  const waiting = useAsked({
    operation: 'accessRequests',
    path: '/v1/access',
    query: { state: 'pending' },
    everyMs: waitingEveryMs,
  }).value;
  useNotices(useMemo(() => waiting?.items.map(({ id }) => id), [waiting]));
  const count = waiting?.items.length ?? 0;
  const pending = count === 0 ? undefined : `${count}${waiting?.next === undefined ? '' : '+'}`;
  return (
    <div className="app">
      <Side place={place} pending={pending} showHelp={() => help.current?.showModal()} />
      <main className="main">
        <CutBanner />
        <View place={place} />
      </main>
      <nav className="tabbar" aria-label="Views, below">
        {entries.map((entry) => (
          <Link key={entry.view} to={addressOf(entry.view)} isCurrent={entry.view === place.view}>
            <Icon name={entry.icon} size={18} />
            {entry.name}
            {entry.view === 'access' && pending !== undefined ? <span className="hot">{pending}</span> : null}
          </Link>
        ))}
      </nav>
      <Help dialog={help} />
      <Palette showHelp={() => help.current?.showModal()} />
    </div>
  );
}

interface SideProps {
  readonly place: Place;
  readonly pending: string | undefined;
  readonly showHelp: () => void;
}

function Side({ place, pending, showHelp }: SideProps): ReactElement {
  const link = (entry: Entry): ReactElement => (
    <Link key={entry.view} className="nav" to={addressOf(entry.view)} isCurrent={entry.view === place.view}>
      <Icon name={entry.icon} />
      <span className="tx">{entry.name}</span>
      {entry.view === 'access' && pending !== undefined ? <span className="n hot">{pending}</span> : null}
    </Link>
  );
  return (
    <nav className="side" aria-label="Views">
      <div className="brand">
        <Brand />
        <span className="tx">upstreamproxy</span>
      </div>
      {entries.map(link)}
      <div className="gap" />
      {link(credentials)}
      {link(settings)}
      <div className="sp" />
      <Foot showHelp={showHelp} />
    </nav>
  );
}

function Foot({ showHelp }: { readonly showHelp: () => void }): ReactElement {
  const { who, signOut, say, times } = useDesk();
  const style = useTimes();
  const feed = useFeed();
  const now = useNow();
  const rate = feed.rate(now);
  const { state } = feed.connection;
  const dot = state === 'following' ? 'pulse' : state === 'cut' ? 'bad' : 'off';
  const name = who.person?.name ?? who.person?.email ?? who.name.replace(/ \(token .*$/, '');
  return (
    <div className="foot">
      <div className="row">
        <span className={`live-dot ${dot}`} />
        <span className="nw tx">
          {rate === undefined ? 'not following' : `${rate < 10 ? rate.toFixed(1) : countText(rate)} events/s`}
        </span>
      </div>
      <div className="row tx">
        <span className="el" title={plainText(who.name)}>
          <Clean text={name} max={120} />, {who.role}
        </span>
      </div>
      <div className="row">
        <button
          type="button"
          className="zone tx"
          title="How times are written (.)"
          onClick={() => say(timesSaid[times.next()])}
        >
          {style === 'ago' ? 'ago' : zoneText(now)}
        </button>
        <span className="sp tx" />
        <button
          type="button"
          className="btn ic"
          aria-label="Switch theme"
          title="Switch theme (t)"
          onClick={switchTheme}
        >
          <Icon name="theme" size={14} />
        </button>
        <button type="button" className="btn ic" aria-label="Log out" title="Log out" onClick={signOut}>
          <Icon name="out" size={14} />
        </button>
        <button type="button" className="btn ic" aria-label="Keys" title="Keys (?)" onClick={showHelp}>
          <kbd>?</kbd>
        </button>
      </div>
    </div>
  );
}

/** Cut off is said, since when, and when it is tried again. */
function CutBanner(): ReactElement | null {
  const { connection } = useFeed();
  const now = useNow();
  if (connection.state !== 'cut') return null;
  const seconds = Math.max(0, Math.ceil((connection.nextTryMs - now) / 1000));
  return (
    <div className="banner" role="alert">
      <Icon name="warn" size={13} />
      <span>
        Not connected since {new Date(connection.sinceMs).toLocaleTimeString('en-GB')}. {connection.why} What
        is shown was known then; it catches up by itself.{' '}
        {seconds === 0 ? 'Trying now.' : `Trying again in ${seconds} s.`}
      </span>
    </div>
  );
}
