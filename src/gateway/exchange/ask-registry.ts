// The gateway asks a registry itself, of what it does not know of a package: a client with a lock file asks for the archive alone.

import { HeaderList } from '../../http/header-list.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { AllowDecision, DecidedPackage, Principal, RequestAccess } from '../../policy/decision.ts';
import { sourceOf } from '../../policy/known-package.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { Reservation } from '../../protocol/held-octets.ts';
import { askedOf, credentialsOf } from '../packages/asked-package.ts';
import { wholeText } from '../audit/event-identity.ts';
import type { Forwarder, ResponseReceiver } from '../forward/forwarder.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import { metadataPath, metadataType } from '../packages/metadata-address.ts';
import type { AskedPackage } from '../packages/publish-times.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { injectCredentials } from './inject-credentials.ts';
import { leakWatchOf } from './leak-watch.ts';
import { countExchange } from './spending-accounts.ts';
import { withAdvisories } from './with-advisories.ts';

/** Who asks for the package, and where that is told. */
export interface Asking {
  readonly principal: Principal;
  readonly record: ExchangeRecord;
  /** Aborts when the client has left. */
  readonly signal?: AbortSignal;
}

export interface AskScene {
  readonly access: RequestAccess;
  readonly asking: Asking;
  readonly parts: ExchangeParts;
}

export interface Question {
  readonly asked: AskedPackage;
  readonly head: RequestHead;
  /** As it was judged. */
  readonly access: RequestAccess;
  readonly decision: AllowDecision;
  /** What asks, where it is not the forwarder itself. */
  readonly carrier?: Pick<Forwarder, 'forward'>;
}

export function questionFor(fetched: DecidedPackage, scene: AskScene): Question | undefined {
  const own = askedOf(fetched, scene.access, []);
  return questionAt(own, metadataPath(own), scene);
}

/** By the rule that lets the session itself read what the registry says of the package. */
export function questionAt(
  own: AskedPackage,
  path: string,
  { access, asking: { principal }, parts }: AskScene,
  accept = metadataType(own.registry) ?? '*/*',
): Question | undefined {
  const { scheme, host, port } = own.root;
  const head: RequestHead = {
    method: 'GET',
    httpVersion: '1.1',
    destination: { scheme, host, port },
    path,
    query: '',
    headers: new HeaderList([
      ['accept', accept],
      ['accept-encoding', 'identity'],
      ['user-agent', 'upstreamproxy'],
    ]),
  };
  // By what says how old a version is, its age is not judged yet, nor is it by its attestations whether it has any.
  const source = sourceOf(own, access.destination);
  const known = {
    package: { source, timeOf: () => 0 },
    provenance: { source, of: () => ({ kind: 'told' }) as const },
  };
  const asked = withAdvisories({ depth: 'request', ...head, ...known }, parts);
  const decision = parts.policy().decide(principal, asked, parts.clock());
  if (decision.effect === 'deny' || decision.awaits !== undefined) return undefined;
  // Its path has words of the workload: nothing goes out that a person or a decider would have to allow.
  if (decision.asks !== undefined || decision.deciders !== undefined) return undefined;
  const judged: RequestAccess = { ...asked, body: { kind: 'none' } };
  return { asked: { ...own, credentials: credentialsOf(decision) }, head, access: judged, decision };
}

/** What takes the response of a registry, and gives what it told. */
interface Collector<Told> extends ResponseReceiver {
  told(): Told | undefined;
}

export type MakeCollector<Told> = (
  keep: (octets: number) => void,
  spend: SpendBytes | undefined,
) => Collector<Told>;

/** Its address has a name that the session chose: it is judged, paid for and told as a request of the session. */
export async function askRegistry<Told>(
  question: Question,
  { principal, record }: Asking,
  parts: ExchangeParts,
  collect: MakeCollector<Told>,
): Promise<Told | undefined> {
  const { asked, decision } = question;
  const watch = await leakWatchOf(decision, principal, parts, record);
  const head = watch?.judgeHead(question.head) ?? question.head;
  const { spendBytes } = await countExchange(principal, decision, head, parts);
  record.noted({ registryAsked: wholeText(`${asked.root.host}${head.path}`, head.query) });
  const injected = await injectCredentials({ head, body: undefined, principal }, decision, parts);
  const tls = parts.ruleTrust.tlsOf(decision, injected.tls);
  const rooms: Reservation[] = [];
  const keep = (octets: number): void => void rooms.push(parts.held.reserve(principal.sessionId, octets));
  const unpaid = new AbortController();
  const collected = collect(keep, payOrEnd(spendBytes, unpaid));
  // Others may wait for it too: the client that began it does not end it.
  const timeout = AbortSignal.timeout(parts.limits.publishTimesTimeoutMs);
  const request = {
    head: injected.head,
    body: undefined,
    bodyLength: undefined,
    principalId: principal.id,
    sessionId: principal.sessionId,
    credentials: asked.credentials,
    addresses: decision.addresses,
    exit: decision.exit,
    ...(tls === undefined ? {} : { tls }),
    signal: AbortSignal.any([timeout, unpaid.signal]),
  };
  try {
    await (question.carrier ?? parts.forwarder).forward(request, collected);
    // What the last octets are paid with may not have been told yet.
    unpaid.signal.throwIfAborted();
    return collected.told();
  } catch (error) {
    unpaid.signal.throwIfAborted();
    if (!timeout.aborted) throw error;
    throw new ProxyError(
      'timeout',
      `${asked.root.host} did not say in time what it knows of ${asked.name} (publishTimesTimeoutMs)`,
      { limit: 'publishTimesTimeoutMs', cause: error },
    );
  } finally {
    for (const room of rooms) room.release();
  }
}

/** What is not paid for ends the question. */
function payOrEnd(spendBytes: SpendBytes | undefined, unpaid: AbortController): SpendBytes | undefined {
  if (spendBytes === undefined) return undefined;
  return (octets) =>
    spendBytes(octets)?.catch((error: unknown) => {
      unpaid.abort(asProxyError(error));
      return undefined;
    });
}
