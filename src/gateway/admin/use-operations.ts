// What was used, and which gateways there are: counts that the store keeps over all of them.

import type { OutputOf } from '../../api/admin/routes.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GatewayPresence } from '../../store/gateway-store.ts';
import { grantRulePrefix, type UsePage, type UseRecord } from '../../store/use-store.ts';
import { hourMs } from '../../store/uses/event-uses.ts';
import { gatewayNameDigits } from '../changes/confirm-change.ts';
import { type AdminParts, type Asked, given, type Handlers, isoTime } from './admin-parts.ts';
import { VisibleEvents } from './visible-events.ts';

const hoursDefault = 24;
type Uses = OutputOf<'uses'>;

export const useOperations: Handlers<'uses' | 'hours' | 'grantUses' | 'gateways'> = {
  uses: async ({ store }, { query: { kind }, nowMs }) => {
    const limit = defaultLimits.adminUsesMax;
    const page = await store.uses.read({ kind, limit, fromMs: nowMs - hoursDefault * hourMs });
    return { ...counting(page), items: (page?.items ?? []).map(shownUse) };
  },
  hours: async ({ store }, { query: { hours = hoursDefault }, nowMs }) => {
    const page = await store.uses.hours(nowMs - hours * hourMs);
    const items = (page?.hours ?? []).map(({ hour, allowed, denied, failed }) => ({
      time: isoTime(hour * hourMs),
      allowed,
      denied,
      failed,
    }));
    return { ...counting(page), items };
  },
  grantUses,
  gateways: async ({ store: { gateways, changes } }) => {
    const limit = defaultLimits.peersKnownMax;
    const newest = await changes.newest();
    const known = [...(await gateways.current(limit)), ...(await gateways.away(limit))];
    const byGateway = Map.groupBy(known, ({ incarnation }) => incarnation.slice(0, gatewayNameDigits));
    return { items: [...byGateway].map(([gateway, own]) => shownGateway(gateway, own, newest)) };
  },
};

/** One that is not theirs is as one that is not there. */
async function grantUses(
  { store }: AdminParts,
  { query: { ids }, operator, nowMs }: Asked<'grantUses'>,
): Promise<OutputOf<'grantUses'>> {
  const visible = new VisibleEvents(operator, store);
  const told: string[] = [];
  const unknown: string[] = [];
  for (const id of new Set(ids.split(','))) {
    const record = await store.access.find(id);
    if (record === undefined || !(await visible.sees(record))) continue;
    const isOfOthersToo = record.terms?.subject === 'principal' && operator.sees !== undefined;
    if (isOfOthersToo) unknown.push(id);
    else told.push(id);
  }
  const names = told.map((id) => `${grantRulePrefix}${id}`);
  const page = await store.uses.read({ kind: 'rule', names, limit: names.length, fromMs: nowMs });
  const items = (page?.items ?? []).map(({ name, uses, lastMs }) => ({
    id: name.slice(grantRulePrefix.length),
    uses,
    lastUsed: isoTime(lastMs),
  }));
  return { ...given('since', page && isoTime(page.sinceMs)), items, unknown };
}

function counting(page: Omit<UsePage, 'items'> | undefined): Pick<Uses, 'since' | 'from'> {
  return page === undefined ? {} : { since: isoTime(page.sinceMs), from: isoTime(page.fromMs) };
}

function shownUse({ name, policy, uses, lastMs, recent, failure }: UseRecord): Uses['items'][number] {
  return {
    name,
    ...(policy === '' ? {} : { policy }),
    uses,
    lastUsed: isoTime(lastMs),
    recent,
    ...given('lastFailure', shownFailure(failure)),
  };
}

/** Undefined where there was none. */
export function shownFailure(
  failure: UseRecord['failure'],
): Uses['items'][number]['lastFailure'] | undefined {
  if (failure === undefined) return undefined;
  const { ms, code, trace } = failure;
  return { time: isoTime(ms), code, ...(trace === '' ? {} : { trace }) };
}

/** One gateway is all processes of one start of it; it is as the worst of them. */
function shownGateway(
  gateway: string,
  processes: readonly GatewayPresence[],
  newest: number,
): OutputOf<'gateways'>['items'][number] {
  const states = new Set(
    processes.map(({ isCurrent, state }) => (isCurrent || state === 'left' ? state : 'lost')),
  );
  const state = (['lost', 'draining', 'serving', 'left'] as const).find((one) => states.has(one)) ?? 'lost';
  const address = processes.find(({ peerAddress }) => peerAddress !== undefined)?.peerAddress;
  return {
    gateway,
    ...given('address', address),
    state,
    processes: processes.length,
    upToDate: processes.every(({ changeSeen }) => changeSeen >= newest),
  };
}
