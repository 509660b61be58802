// Policies asked here: of files, of a configuration, or of the store of a gateway on this machine. Nothing else is contacted.

import { loadGatewayConfig, type GatewayConfig } from '../../gateway/config/config.ts';
import { connectionAccess, judgedAccess, withAskedBody } from '../../gateway/policies/asked-access.ts';
import { isGrantedTo } from '../../gateway/exchange/granted-credentials.ts';
import { explainPolicy } from '../../gateway/policies/explain-policy.ts';
import { readKept } from '../../gateway/policies/kept-policies.ts';
import { policyNames } from '../../gateway/policies/open-policies.ts';
import { PolicyReplay } from '../../gateway/policies/policy-replay.ts';
import { PublishedPolicies, publishedPlace } from '../../gateway/policies/published-policies.ts';
import { recallSession, RecalledSessions } from '../../gateway/sessions/recalled-session.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { AccessRequest, Decision, Policy, Principal } from '../../policy/decision.ts';
import { describeAccess } from '../../policy/denial.ts';
import { diffPolicies, diffText } from '../../policy/diff-policy.ts';
import type { ExplanationQuestion } from '../../policy/explain.ts';
import { NarrowedPolicy } from '../../policy/narrowed-policy.ts';
import { formatProblem } from '../../policy/problem.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Store } from '../../store/store.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { type RecordOptions, withRecords } from '../operator/audit-records.ts';
import { openStoreToRead } from '../operator/operator-store.ts';
import { harmlessText } from '../terminal/text-table.ts';
import { requestAccess } from './explain-access.ts';
import type {
  AskedRequest,
  Asker,
  Checked,
  ExchangeExplained,
  Explained,
  JudgingBackend,
  PolicyWanted,
  ShownReplay,
} from './judging-backend.ts';
import { mainName } from '../../policy/bound-policies.ts';
import { openFiles } from './open-policy.ts';
import { openPublished } from './published.ts';
import { readerOf } from './published-in-store.ts';
import {
  decisionOf,
  exchangeOf,
  isTrace,
  narrowingGone,
  policyGone,
  recordedNotes,
  sessionGone,
} from './recorded-exchange.ts';

export interface JudgingOptions extends Pick<RecordOptions, 'audit' | 'config' | 'state' | 'verbose'> {
  /** Of the store, where the policy in force is one of several. */
  readonly name?: string | undefined;
}

/** `nowMs`: the time that decisions are made at. */
export function judgingHere(options: JudgingOptions, nowMs: number): JudgingBackend {
  return {
    check: (policy) => check(policy, options),
    explain: (requests, policy, asker) => explainAll(requests, { policy, asker, options, nowMs }),
    explainExchange: (id) => explainExchange(id, options),
    replay: (policy, fromMs, onSeen) => replay(policy, options, { nowMs, fromMs, onSeen }),
    compare: async (before, after) => {
      const old = await compiled(before, options);
      const result = diffPolicies(old, await compiled(after, options));
      return { text: diffText(result), machine: result };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function configOf({ config }: JudgingOptions): Promise<GatewayConfig | undefined> {
  return config === undefined ? undefined : await loadGatewayConfig(config);
}

async function check(wanted: PolicyWanted, options: JudgingOptions): Promise<Checked> {
  const paths = wanted.kind === 'files' ? wanted.paths : [];
  const { policy, warnings } = await openFiles(paths, await configOf(options));
  return { rules: policy.rules.length, version: policy.version, warnings };
}

/** One policy alone. */
export async function compiled(wanted: PolicyWanted, options: JudgingOptions): Promise<CompiledPolicy> {
  const config = await configOf(options);
  switch (wanted.kind) {
    case 'files':
      return (await openFiles(wanted.paths, config)).policy;
    case 'version': {
      if (config === undefined) throw new ProxyError('usage', 'of which store? --config FILE');
      return await openPublished(config, wanted.policy, wanted.number);
    }
    case 'in-force':
      return config?.policy.mode === 'store'
        ? await openPublished(config, options.name ?? mainName, undefined)
        : (await openFiles([], config)).policy;
  }
}

/** As a gateway of the configuration would have it: of a store all that is published together. */
async function policyHere(wanted: PolicyWanted, options: JudgingOptions): Promise<Policy> {
  const config = await configOf(options);
  if (wanted.kind !== 'in-force' || config?.policy.mode !== 'store') return await compiled(wanted, options);
  await using store = await openStoreToRead(config);
  return await publishedIn(store, config);
}

async function publishedIn(store: Store, config: GatewayConfig): Promise<Policy> {
  // What tools of one machine are configured to use is no policy for all.
  const { discover: _, ...names } = policyNames(config);
  await using published = await PublishedPolicies.open({
    store: store.policies,
    names,
    gatewayId: undefined,
    clock: Date.now,
    onFault: () => undefined,
    onTaken: () => undefined,
    onRefused: (version, problems) => {
      const why = problems.map(formatProblem).join('; ');
      const text = `a gateway of this configuration cannot take ${publishedPlace(version)}, and keeps the one before: ${why}`;
      process.stderr.write(`upstreamproxy: ${harmlessText(text)}\n`);
    },
  });
  return published.current;
}

interface Asking {
  readonly policy: PolicyWanted;
  readonly asker: Asker;
  readonly options: JudgingOptions;
  readonly nowMs: number;
}

async function explainAll(
  requests: readonly AskedRequest[],
  { policy: wanted, asker, options, nowMs }: Asking,
): Promise<readonly Explained[]> {
  const policy = await policyHere(wanted, options);
  const principal: Principal = { id: 'explain', sessionId: 'explain', ...asker };
  const decide = (access: AccessRequest): Decision => policy.decide(principal, access, nowMs);
  const { credentials = {} } = (await configOf(options)) ?? {};
  const found: Explained[] = [];
  for (const request of requests) {
    const access = await accessOf(request, decide, options);
    found.push(explained(policy, { principal, access, nowMs }, credentials));
  }
  return found;
}

function explained(
  policy: Policy,
  question: ExplanationQuestion,
  configs: GatewayConfig['credentials'],
): Explained {
  const known = { configs, isGranted: isGrantedTo(question.principal) };
  const { decision, steps, body, credentials, refused, text } = explainPolicy(
    new NarrowedPolicy(policy),
    policy,
    { ...question, known },
  );
  const request = describeAccess(question.access);
  return {
    request,
    isAllowed: decision.effect === 'allow' && refused === undefined,
    policy: policy.version,
    text,
    machine: {
      request,
      ...(body === undefined ? {} : { body }),
      decision,
      ...(credentials.length === 0 ? {} : { credentials }),
      ...(refused === undefined ? {} : { refused }),
      steps,
    },
  };
}

async function accessOf(
  { method, url, fields, body, pushed, pushOptions }: AskedRequest,
  decide: (access: AccessRequest) => Decision,
  options: JudgingOptions,
): Promise<AccessRequest> {
  if (method === 'CONNECT') return connectionAccess(url, decide);
  const head = requestAccess(method, url, fields);
  const { limits = defaultLimits } = body === undefined ? {} : ((await configOf(options)) ?? {});
  const { inspectBodyBytesMax, signedObjectBytesMax } = limits;
  const request =
    body === undefined ? head : await withAskedBody(head, body, inspectBodyBytesMax, signedObjectBytesMax);
  return judgedAccess(
    pushed === undefined ? request : { ...request, pushed, pushOptions: pushOptions ?? [] },
    decide,
  );
}

async function explainExchange(id: string, options: JudgingOptions): Promise<ExchangeExplained> {
  const { config: file, state } = options;
  const config = await gatewayOfOptions(state === undefined ? { config: file } : { state });
  await using store = await openStoreToRead(config);
  const found = isTrace(id)
    ? (await store.audit.search({ trace: id, limit: 10, lookMax: 10_000 })).events
    : [await store.audit.find(id)].filter((event) => event !== undefined);
  const event = exchangeOf(found, id);
  const recorded = decisionOf(event);
  const { access, timeMs } = recorded;
  const notes = [...recordedNotes(recorded)];
  const facts = event.sessionId === undefined ? undefined : await recallSession(store, event.sessionId);
  if (facts === undefined) notes.push(sessionGone);
  if (facts?.isNarrowingGone === true) notes.push(narrowingGone);
  const kept =
    event.policyVersion === undefined
      ? undefined
      : await readKept(store.policies, event.policyVersion, readerOf(config));
  const policy =
    kept ??
    (config.policy.mode === 'store'
      ? await publishedIn(store, config)
      : (await openFiles([], config)).policy);
  if (kept === undefined && policy.version !== event.policyVersion) notes.push(policyGone(policy.version));
  const principal: Principal = {
    id: event.principal ?? '',
    sessionId: event.sessionId ?? '',
    claims: facts?.claims ?? {},
    posture: facts?.posture ?? [],
    ...(facts?.narrowed === undefined ? {} : { narrowed: facts.narrowed }),
  };
  const { machine, ...told } = explained(policy, { principal, access, nowMs: timeMs }, config.credentials);
  return { ...told, event, notes, machine: { event: event.id, notes, ...machine } };
}

interface Replaying {
  readonly nowMs: number;
  readonly fromMs: number | undefined;
  readonly onSeen: (events: number) => void;
}

async function replay(
  wanted: PolicyWanted,
  options: JudgingOptions,
  { nowMs, fromMs, onSeen }: Replaying,
): Promise<ShownReplay> {
  const policy = await compiled(wanted, options);
  const since = fromMs === undefined ? undefined : nowMs - fromMs;
  return await withRecords({ ...options, since }, nowMs, async ({ events, sessions, store }) => {
    const recalled = store === undefined ? undefined : new RecalledSessions(store);
    const replaying = new PolicyReplay(policy, recalled ?? sessions);
    let seen = 0;
    for await (const event of events) {
      await recalled?.recall([event.sessionId]);
      replaying.note(event);
      seen += 1;
      onSeen(seen);
    }
    return replaying.result();
  });
}
