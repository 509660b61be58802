// The store of a gateway; one that is another process is watched for being away.

import type { Store } from '../store/store.ts';
import { askedStore, StoreOutage } from '../store/store-outage.ts';
import { openConfiguredStore } from './config/store-settings.ts';
import { RecentSessions, rememberedSessions } from './changes/recent-sessions.ts';
import { StoreHistory } from './changes/store-history.ts';
import type { Start } from './gateway-start.ts';
import type { KnownHistory } from './open-changes.ts';

export interface GatewayStore extends KnownHistory {
  readonly store: Store;
  /** Of a store that can be away. */
  readonly outage: StoreOutage | undefined;
}

/** Throws as `openStore` does: a gateway that has not read its store serves nothing. */
export async function openGatewayStore({
  config,
  environment,
  stack,
  clock,
  log,
}: Start): Promise<GatewayStore> {
  const store = stack.use(await openConfiguredStore(config, environment));
  const { probe } = store;
  const recent = new RecentSessions();
  if (probe === undefined) return { store, outage: undefined, recent, history: new StoreHistory(store) };
  const { storeOutageMs } = config.limits;
  const outage = stack.use(
    new StoreOutage({
      probe,
      outageMs: storeOutageMs,
      clock,
      onBegin: (why) =>
        log(
          'warn',
          `the store is away: running sessions go on for ${storeOutageMs / 1000} s (storeOutageMs), and none begins. ${why}`,
        ),
      onFault: ({ message }) => log('error', message),
      onEnd: (awayMs) => log('info', `the store is back after ${(awayMs / 1000).toFixed(1)} s`),
      onPast: () =>
        log(
          'error',
          `the store is away for more than ${storeOutageMs / 1000} s (storeOutageMs): nothing is forwarded`,
        ),
    }),
  );
  const asked = askedStore(store, outage);
  const history = new StoreHistory(asked);
  return {
    store: { ...asked, sessions: rememberedSessions(asked, recent, history) },
    outage,
    recent,
    history,
  };
}
