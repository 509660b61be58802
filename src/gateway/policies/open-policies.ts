// The policy of a running gateway: its files, or observing, and how old what is in force is.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Policy } from '../../policy/decision.ts';
import { observePolicy } from '../../policy/observe-policy.ts';
import { formatProblem } from '../../policy/problem.ts';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { PolicyVersion } from '../../store/policy-store.ts';
import type { Store } from '../../store/store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import type { GatewayConfig } from '../config/config.ts';
import {
  agentUseOf,
  foreignDefaults,
  logsInWith,
  signsObjects,
  signsRequests,
} from '../credentials/credential-kinds.ts';
import { hostDiscovery } from './discover-hosts.ts';
import { keepFiles, keepPublished } from './kept-policies.ts';
import type { PolicyReadingOptions } from './policy-reading.ts';
import { PolicySource } from './policy-source.ts';
import { PublishedPolicies, publishedPlace } from './published-policies.ts';
import type { RuleTrust } from '../forward/rule-trust.ts';

interface PolicyParts {
  readonly stack: AsyncDisposableStack;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly ruleTrust: RuleTrust;
  readonly clock: () => number;
  readonly store: Pick<Store, 'policies' | 'onChange'>;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
  readonly onFault: (error: ProxyError) => void;
  readonly isOnDuty: () => boolean;
}

/** A file of a policy; `policy` is its name where it is a published one. */
export interface PolicyFileText {
  readonly policy?: string;
  readonly name: string;
  readonly text: string;
}

export interface Policies {
  readonly current: () => Policy;
  readonly reload: () => Promise<void>;
  readonly onChange: (listener: (policy: Policy) => void) => void;
  /** Since when the policy in force is in force. */
  readonly ageMs: () => number;
  /** For how long there has been something newer that cannot be taken; 0: what is in force is the newest. */
  readonly staleMs: () => number;
  /** Whether what was published before this call is in force here, or known to be refused. */
  readonly taken: () => Promise<boolean>;
  /** The files of what is in force. */
  readonly texts: () => readonly PolicyFileText[];
  /** Where the policy is that of the store. */
  readonly published?: PublishedPolicies;
}

/** What the configuration gives the reader of policies to check names by. */
export function policyNames({
  credentials,
  trust,
  upstream,
  deciders,
  advisories,
  packageTrust,
  issuers,
  discover,
}: Pick<
  GatewayConfig,
  'credentials' | 'trust' | 'upstream' | 'deciders' | 'advisories' | 'packageTrust' | 'issuers' | 'discover'
>): PolicyReadingOptions {
  return {
    credentials: Object.keys(credentials),
    placeholders: Object.entries(credentials).flatMap(([name, one]) =>
      foreignDefaults(one).what === 'none-beside-it' ? [name] : [],
    ),
    signing: Object.entries(credentials).flatMap(([name, one]) => (signsRequests(one) ? [name] : [])),
    logins: loggingIn(credentials, 'password'),
    sshKeys: loggingIn(credentials, 'key'),
    signingKeys: Object.entries(credentials).flatMap(([name, one]) => (signsObjects(one) ? [name] : [])),
    logInKeys: ofAgent(credentials, 'log-in'),
    hashKeys: ofAgent(credentials, 'hashes'),
    trust: Object.keys(trust),
    exits: Object.keys(upstream.exits),
    deciders: Object.keys(deciders),
    requestDeciders: Object.entries(deciders).flatMap(([name, { kind }]) =>
      kind === 'ext-authz' ? [name] : [],
    ),
    advisories: advisories === undefined ? [] : [advisories.index],
    provenance: packageTrust?.sigstore === undefined ? [] : [packageTrust.sigstore],
    // Of those with "for" it is said who is meant.
    issuers: issuers.flatMap((one) => (one.for === undefined ? [one.issuer] : [])),
    discover: hostDiscovery(discover),
  };
}

function ofAgent(credentials: GatewayConfig['credentials'], use: 'log-in' | 'hashes'): readonly string[] {
  return Object.entries(credentials).flatMap(([name, one]) => (agentUseOf(one) === use ? [name] : []));
}

function loggingIn(credentials: GatewayConfig['credentials'], by: 'password' | 'key'): readonly string[] {
  return Object.entries(credentials).flatMap(([name, one]) => (logsInWith(one) === by ? [name] : []));
}

/** Opens what the configuration names. @throws ProxyError config_invalid with every problem, store_unavailable */
export async function openPolicies(config: GatewayConfig, parts: PolicyParts): Promise<Policies> {
  switch (config.policy.mode) {
    case 'observe':
      return openObserving(config, parts);
    case 'files':
      return await openFiles(config, parts);
    case 'store':
      return await openPublished(config, parts);
  }
}

function openObserving(config: GatewayConfig, { log, clock }: PolicyParts): Policies {
  if (config.issuers.some((one) => one.for === undefined))
    log('warn', 'policy: observe lets everything public through to whoever has a token of an issuer');
  const [policy, startMs] = [observePolicy(), clock()];
  return {
    current: () => policy,
    reload: () => Promise.resolve(),
    onChange: () => undefined,
    ageMs: () => clock() - startMs,
    staleMs: () => 0,
    taken: () => Promise.resolve(true),
    texts: () => [],
  };
}

/** So that what it decides can be explained later; nothing hangs on it. */
function keepSoon({ isOnDuty, onFault }: PolicyParts, keep: () => Promise<void>): void {
  if (isOnDuty()) void keep().catch((error: unknown) => onFault(asProxyError(error)));
}

async function openFiles(config: GatewayConfig, parts: PolicyParts): Promise<Policies> {
  const { stack, log, clock } = parts;
  if (config.policy.paths.length === 0)
    log(
      'warn',
      'the configuration has no policy, so everything is denied; name a file or folder under "policy"',
    );
  const { paths, isReadOnce = false } = config.policy;
  const source = stack.use(
    await PolicySource.open(paths, {
      ...policyNames(config),
      ...(isReadOnce ? { pollIntervalMs: 0 } : {}),
      clock,
      onProblems: (problems) => {
        for (const problem of problems)
          log(problem.severity === 'error' ? 'error' : 'warn', formatProblem(problem));
      },
      onKept: ({ version, loadedAtMs }) => {
        const age = Math.round((clock() - loadedAtMs) / 1000);
        log('error', `the policy files cannot be taken; policy ${version}, ${age} s old, stays in force`);
      },
    }),
  );
  const { policies } = parts.store;
  const keep = (): void =>
    keepSoon(parts, () =>
      keepFiles({ store: policies, version: source.current.version, nowMs: clock() }, source.sources),
    );
  keep();
  source.onChange(({ version }) => {
    log('info', `policy ${version} is in force`);
    keep();
  });
  return {
    current: () => source.current,
    reload: async () => {
      await reloadTrust(parts);
      if (!isReadOnce) await source.reload();
    },
    onChange: (listener) => {
      source.onChange(listener);
    },
    ageMs: () => clock() - source.state.loadedAtMs,
    staleMs: () => {
      const { failure } = source.state;
      return failure === undefined ? 0 : clock() - failure.sinceMs;
    },
    // Those of a store bind nobody here.
    taken: () => Promise.resolve(true),
    texts: () => source.sources.map(({ file, text }) => ({ name: file, text })),
  };
}

async function openPublished(config: GatewayConfig, parts: PolicyParts): Promise<Policies> {
  const { stack, log, clock, store, record, onFault, isOnDuty } = parts;
  // What tools of one machine are configured to use is no policy for all.
  const { discover: _, ...names } = policyNames(config);
  const recorded = (step: SessionStep): void => {
    if (isOnDuty()) void record(step).catch((error: unknown) => onFault(asProxyError(error)));
  };
  const published = stack.use(
    await PublishedPolicies.open({
      store: store.policies,
      names,
      gatewayId: `${hostname().slice(0, 64)} ${randomUUID().slice(0, 8)}`,
      clock,
      onFault,
      onTaken: (taken, policy) => {
        const message = takenText(taken, policy);
        log('info', message);
        recorded({ action: 'policy_taken', nowMs: clock(), message, details: stepDetails(taken) });
      },
      onRefused: (version, problems) => {
        for (const problem of problems) log('error', formatProblem(problem));
        const message = `The published policy ${publishedPlace(version)} cannot be taken; what was in force of it stays, and without that whom it is for is denied everything.`;
        const details = { ...stepDetails(version), problems: problems.slice(0, 5).map(formatProblem) };
        recorded({ action: 'policy_refused', nowMs: clock(), message, details });
      },
    }),
  );
  if (published.held.every(({ policy }) => policy === undefined))
    log(
      'warn',
      'the store has no policy that can be taken, so everything is denied; publish one: upstreamproxy policy publish FILE --config FILE',
    );
  const keep = (): void =>
    keepSoon(parts, () =>
      keepPublished({ store: store.policies, version: published.current.version, nowMs: clock() }, published),
    );
  keep();
  published.onChange(keep);
  stack.defer(store.onChange(() => published.lookSoon()));
  return {
    current: () => published.current,
    reload: async () => {
      await reloadTrust(parts);
      await published.look();
    },
    onChange: (listener) => {
      published.onChange(listener);
    },
    ageMs: () => clock() - published.sinceMs,
    staleMs: () => Math.max(0, ...published.refused.map(({ sinceMs }) => clock() - sinceMs)),
    taken: () => published.taken(),
    texts: () =>
      published.held.flatMap(({ version: { policy }, files }) => files.map((file) => ({ policy, ...file }))),
    published,
  };
}

function takenText(taken: PolicyVersion, policy: Policy): string {
  const what = taken.isWithdrawn ? 'is withdrawn' : 'is in force';
  return `The published policy ${publishedPlace(taken)} ${what}; policy ${policy.version} decides.`;
}

function stepDetails({ policy, number, version }: PolicyVersion): Readonly<Record<string, unknown>> {
  return { policy, number, version };
}

/** A file that cannot be taken leaves what was read before, as a policy file does. */
async function reloadTrust({ ruleTrust, log }: PolicyParts): Promise<void> {
  await ruleTrust.reload().catch((error: unknown) => {
    log('error', asProxyError(error).message);
  });
}
