// How the gateway is, and what it was told: health, limits, credentials by name.

import { ProxyError } from '../../protocol/error.ts';
import type { LimitName } from '../../protocol/limits.ts';
import { limitTable } from '../../protocol/limits.ts';
import { confirmChange } from '../changes/confirm-change.ts';
import { placeholderVariables } from '../credentials/credential-kinds.ts';
import { adminOpenApi } from '../../api/admin/openapi.ts';
import type { OutputOf } from '../../api/admin/routes.ts';
import type { UseRecord } from '../../store/use-store.ts';
import { type AdminParts, given, type Handlers, isoTime } from './admin-parts.ts';
import { shownFailure } from './use-operations.ts';
import { staleMsFor } from './own-rules.ts';

const dayMs = 86_400_000;

export const stateOperations: Handlers<
  | 'who'
  | 'logIn'
  | 'logInWays'
  | 'logOut'
  | 'health'
  | 'changes'
  | 'limits'
  | 'credentials'
  | 'metrics'
  | 'openapi'
> = {
  who: ({ link }, { operator: { name, role, by, sees, expiresMs, browser } }) => ({
    name,
    role,
    by: link === undefined ? by : 'link',
    ...given('sees', sees),
    ...given('expires', expiresMs === undefined ? undefined : isoTime(expiresMs)),
    ...browser,
  }),
  logInWays: ({ logIn }) => given('provider', logIn?.providerName),
  logOut: async ({ logIn }, { operator, host }) =>
    operator.by === 'oidc' ? given('providerLogOut', await logIn?.logOut(operator, host)) : {},
  logIn: async ({ link, record }, { body: { secret }, nowMs }) => {
    if (link === undefined)
      throw new ProxyError('operation_unknown', 'this gateway knows no log-in by a link; use a token');
    const { token, expiresMs } = await link.use(secret, nowMs, { record });
    return { token, expires: isoTime(expiresMs) };
  },
  health: async (parts, { operator, nowMs }) => {
    const { version, startedMs, isReady, isAuditHealthy, tunnels, policies, followers } = parts;
    return {
      version,
      started: isoTime(startedMs),
      now: isoTime(nowMs),
      ready: isReady(),
      audit: (await isAuditHealthy()) ? 'written' : 'failing',
      policy: {
        version: policies.current().version,
        staleSeconds: (await staleMsFor(parts, operator)) / 1000,
      },
      ...given('advisories', advisoriesOf(parts)),
      // What others do is not counted for who sees only some.
      ...(operator.sees === undefined ? { tunnels: await tunnels(), followers: followers.count } : {}),
    };
  },
  changes: async ({ store }, { query: { wait = 0 }, signal }) => {
    const { change, confirmed, missing, tookMs } = await confirmChange(store, {
      deadlineMs: wait * 1000,
      signal,
    });
    return {
      change,
      confirmed: confirmed.map(({ gateway }) => gateway),
      missing: missing.map(({ gateway }) => gateway),
      seconds: tookMs / 1000,
    };
  },
  limits: async ({ config, limitsReached }) => {
    const reached = await limitsReached();
    return {
      // The keys of the table are the names; Object.entries forgets that.
      items: (Object.entries(limitTable) as [LimitName, (typeof limitTable)[LimitName]][]).map(
        ([name, { code, reason }]) => ({
          name,
          code,
          reason,
          value: config.limits[name],
          reached: reached.get(name) ?? 0,
        }),
      ),
    };
  },
  credentials: async ({ config, store }, { nowMs }) => {
    const names = Object.keys(config.credentials);
    const page = await store.uses.read({
      kind: 'credential',
      names,
      limit: names.length,
      fromMs: nowMs - dayMs,
    });
    const uses = new Map(page?.items.map((one) => [one.name, one]));
    return {
      items: Object.entries(config.credentials).map(([name, one]) =>
        Object.assign(
          { name, kind: one.kind, variables: Object.keys(placeholderVariables(name, one)) },
          page === undefined ? ({ state: 'unknown' } as const) : useOfCredential(uses.get(name)),
        ),
      ),
    };
  },
  metrics: ({ metricsText }) => metricsText(),
  openapi: ({ version }) => adminOpenApi(version),
};

function advisoriesOf({ advisories }: Pick<AdminParts, 'advisories'>): OutputOf<'health'>['advisories'] {
  if (advisories === undefined) return undefined;
  const { index, staleForMs } = advisories.state();
  const registries = [...(index?.head.registries ?? [])].map(
    ([registry, { packages, advisories: count, newestMs }]) =>
      Object.assign(
        { registry, packages, advisories: count },
        given('newest', newestMs === 0 ? undefined : isoTime(newestMs)),
      ),
  );
  return {
    state: index === undefined ? 'unreadable' : staleForMs > 0 ? 'stale' : 'fresh',
    staleSeconds: staleForMs / 1000,
    ...given('imported', index === undefined ? undefined : isoTime(index.head.madeMs)),
    registries,
  };
}

type Credential = OutputOf<'credentials'>['items'][number];

function useOfCredential(
  use: UseRecord | undefined,
): Pick<Credential, 'state' | 'lastUsed' | 'recent' | 'lastError'> {
  if (use === undefined) return { state: 'unused' };
  const { lastMs, recent, failure } = use;
  return {
    state: failure !== undefined && failure.ms >= lastMs ? 'failing' : 'works',
    lastUsed: isoTime(lastMs),
    recent,
    ...given('lastError', shownFailure(failure)),
  };
}
