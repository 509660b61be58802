// Notices of the browser about requests for access, for who asked for them and looks elsewhere. Nothing that a workload wrote is in one.

import { useEffect, useRef } from 'react';
import { plural } from '../model/display.ts';
import { addressOf, go } from './location.ts';

/** `none`: this browser has no notices, or no page of this origin may show them. */
export type Notices = 'on' | 'off' | 'refused' | 'none';

const key = 'upstreamproxy.notices';

export function noticesNow(): Notices {
  if (!('Notification' in globalThis)) return 'none';
  if (Notification.permission === 'denied') return 'refused';
  return Notification.permission === 'granted' && sessionStorage.getItem(key) === 'on' ? 'on' : 'off';
}

/** The browser asks the person, once. */
export async function switchNotices(): Promise<Notices> {
  const before = noticesNow();
  if (before === 'none' || before === 'refused') return before;
  sessionStorage.setItem(key, before === 'on' ? 'off' : 'on');
  if (before === 'off' && Notification.permission !== 'granted') await Notification.requestPermission();
  return noticesNow();
}

/** `ids` of what waits, undefined while that is not known. What waits as the page opens is no news. */
export function useNotices(ids: readonly string[] | undefined): void {
  const known = useRef<ReadonlySet<string>>(undefined);
  useEffect(() => {
    if (ids === undefined) return;
    const before = known.current;
    known.current = new Set(ids);
    const count = before === undefined ? 0 : ids.filter((id) => !before.has(id)).length;
    if (count === 0 || document.hasFocus() || noticesNow() !== 'on') return;
    // One replaces the one before.
    const notice = new Notification('upstreamproxy', {
      body: `${plural(ids.length, 'request', 'requests')} for access ${ids.length === 1 ? 'waits' : 'wait'}.`,
      tag: key,
    });
    notice.addEventListener('click', () => {
      focus();
      go(addressOf('access'));
    });
  }, [ids]);
}
