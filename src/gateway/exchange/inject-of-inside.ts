// What a tool of the session logged in to by itself: its tokens, in place of what it got for them. At the hosts of the log-in they stand in
// Authorization, and at the server that gave them where OAuth has them.

import type { Buffer } from 'node:buffer';
import type { RequestHead } from '../../http/message-head.ts';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision, Principal } from '../../policy/decision.ts';
import type { RuleLogIn } from '../../policy/log-in-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { jsonCodingOf } from '../../understand/read-body.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import { InsideExchange } from '../credentials/inside/inside-exchange.ts';
import type {
  FoundInside,
  InsideOwner,
  InsideTokens,
  RefreshClaim,
} from '../credentials/inside/inside-tokens.ts';
import { isPlaceOf } from '../credentials/inside/token-members.ts';
import { revocationSchema, type TokenRevocation } from '../credentials/inside/token-revocation.ts';
import { mentionedInField, readRequest, type RequestDocument } from '../credentials/inside/token-request.ts';
import type { BodyFacts, BodyRewrite } from '../credentials/request/body-rewrite.ts';
import type { HeldBodies } from '../credentials/request/held-bodies.ts';
import { bodyDigests } from '../credentials/request/placeholder-body.ts';
import { searchedValues } from '../scrub/searched-credential.ts';
import { askSearchable } from '../scrub/searchable-response.ts';

export interface InsideInjected extends InjectedRequest {
  /** Its response hands out tokens; absent: it is of a host that takes them. */
  readonly inside?: InsideExchange;
}

export interface InsideInput {
  readonly validated: ValidatedRequest;
  readonly body: BodyFacts | undefined;
  readonly principal: Principal;
  readonly signal: AbortSignal;
}

export interface InsideParts {
  readonly inside?: InsideTokens | undefined;
  readonly credentials: { readonly bodies: HeldBodies };
}

/** Of the exchange. */
export interface InsideRecord {
  keeps(release: () => void): void;
  noted(more: { readonly keptTokens: readonly string[] }): void;
}

/** Undefined: the rule has nothing of it for this request. @throws ProxyError policy_denied, credential_unavailable, limit_exceeded */
export async function injectOfInside(
  input: InsideInput,
  { logIn, addresses }: Pick<AllowDecision, 'logIn' | 'addresses'>,
  { inside, credentials }: InsideParts,
  record: InsideRecord,
): Promise<InsideInjected | undefined> {
  const { validated, principal, signal } = input;
  const { head } = validated;
  if (logIn === undefined) return undefined;
  if (validated.upgrade !== undefined) {
    if (logIn.isIssuer === true) throw unguarded(logIn);
    return undefined;
  }
  if (head.destination.scheme !== 'https' || inside === undefined)
    throw new ProxyError(
      'credential_unavailable',
      'tokens of a log-in are kept for requests over https alone, by a gateway with a store',
    );
  const owner = { sessionId: principal.sessionId, logIn: logIn.name };
  const scene: Scene = { owner, inside, signal, used: [] };
  if (logIn.isIssuer !== true) {
    const own = await withField(head, false, scene);
    return scene.used.length === 0 ? undefined : injectedOf(own, scene);
  }
  const asked = await withField(head, true, scene);
  const placed = await withBody(asked, input.body, scene, credentials.bodies).catch(
    async (error: unknown) => {
      // Nothing went out. Without a store it ends by itself (keptTokenClaimMs).
      await scene.claim?.letGo(false).catch(() => undefined);
      throw error;
    },
  );
  const exchange = new InsideExchange({
    tokens: inside,
    owner,
    origin: originOf(head),
    used: scene.used,
    claim: scene.claim,
    revocation: revocationOf(logIn, addresses, placed),
    onKept: (kinds) => record.noted({ keptTokens: [...kinds] }),
  });
  record.keeps(() => exchange[Symbol.dispose]());
  // Nobody else has these: the row of a refresh token is read each time.
  record.keeps(() =>
    scene.used.filter(({ kind }) => kind === 'refresh').forEach((one) => one.searched.close()),
  );
  const { body } = placed;
  return { ...injectedOf(placed.head, scene), ...(body === undefined ? {} : { body }), inside: exchange };
}

/** What comes of it is read by nobody, also where the server does not switch. */
function unguarded({ name }: RuleLogIn): ProxyError {
  return new ProxyError(
    'policy_denied',
    `the rule keeps what the server of log-in ${name} hands out, and a WebSocket to it cannot be read; send the request without Upgrade`,
  );
}

interface Scene {
  readonly owner: InsideOwner;
  readonly inside: InsideTokens;
  readonly signal: AbortSignal;
  /** What stands on the request, as it is found. */
  readonly used: FoundInside[];
  /** Of its refresh token. */
  claim?: RefreshClaim | undefined;
}

function originOf({ destination: { scheme, host, port } }: RequestHead): string {
  return `${scheme}://${host}:${String(port)}`;
}

/** An access token serves at the hosts of its log-in; all others at the server that gave them. */
function isFor(found: FoundInside, head: RequestHead): boolean {
  return found.kind === 'access' || found.origin === originOf(head);
}

/** One field of that name: of two, servers take the first or the last. */
async function withField(head: RequestHead, isIssuer: boolean, scene: Scene): Promise<RequestHead> {
  const [field, ...more] = head.headers.all('authorization');
  if (field === undefined || more.length > 0) return head;
  for (const one of mentionedInField(field, isIssuer)) {
    const found = await scene.inside.find(scene.owner, one.value);
    if (found === undefined || !one.kinds.includes(found.kind) || !isFor(found, head)) continue;
    const value = one.with(found.token.reveal());
    if (value === undefined) continue;
    scene.used.push(found);
    return { ...head, headers: head.headers.without('authorization').with('authorization', value) };
  }
  return head;
}

interface PlacedBody {
  readonly head: RequestHead;
  readonly body?: BodyRewrite;
  readonly client?: RequestDocument['client'];
}

async function withBody(
  head: RequestHead,
  facts: BodyFacts | undefined,
  scene: Scene,
  held: HeldBodies,
): Promise<PlacedBody> {
  if (facts === undefined || facts.length === 0) return { head };
  const form = formOf(head);
  const { bytes, sendOn } = await held.hold(facts, defaultLimits.insideBodyBytesMax);
  const document = readRequest(bytes, form);
  if (document instanceof UnreadableBody) throw unreadable(head, document.reason);
  const values = await placedIn(document, head, scene);
  const secret = values.get('client_secret') ?? document.client.secret;
  const client = { ...document.client, ...(secret === undefined ? {} : { secret }) };
  if (values.size === 0) return { head, client, body: sendOn(bytes) };
  const octets: Buffer = document.write(values);
  const headers = head.headers.without(...bodyDigests);
  return { head: { ...head, headers }, client, body: sendOn(octets) };
}

/** The server takes a token back from whoever it gave it to. */
function revocationOf(
  { revoke }: RuleLogIn,
  addresses: readonly string[],
  { head, client = {} }: PlacedBody,
): TokenRevocation | undefined {
  if (revoke === undefined) return undefined;
  const { id: clientId, secret: clientSecret } = client;
  const [field = '', ...more] = head.headers.all('authorization');
  const isClient = more.length === 0 && /^basic /i.test(field);
  const read = revocationSchema.safeParse({
    path: revoke,
    ...(addresses.length === 0 ? {} : { addresses }),
    clientId,
    clientSecret,
    authorization: isClient ? field : undefined,
  });
  return read.success ? read.data : undefined;
}

async function placedIn(
  { mentioned, grantType }: RequestDocument,
  head: RequestHead,
  scene: Scene,
): Promise<ReadonlyMap<string, string>> {
  const { owner, inside, signal, used } = scene;
  const values = new Map<string, string>();
  for (const { name, value } of mentioned) {
    const found = await inside.find(owner, value);
    if (found === undefined || !isPlaceOf(name, found.kind) || found.origin !== originOf(head)) continue;
    let own: FoundInside | undefined = found;
    if (name === 'refresh_token' && grantType === 'refresh_token') {
      scene.claim = await inside.claim(owner, value, signal);
      own = scene.claim?.found;
    }
    // Of no use any more: the server says so of what the tool sends.
    if (own === undefined) continue;
    used.push(own);
    values.set(name, own.token.reveal());
  }
  return values;
}

function formOf(head: RequestHead): 'json' | 'form' {
  const types = head.headers.all('content-type');
  const isForm =
    types.length === 1 &&
    /^application\/x-www-form-urlencoded(?:;[ \t]*charset="?utf-?8"?)?$/i.test(types[0] ?? '');
  if (isForm && head.headers.all('content-encoding').length === 0) return 'form';
  const coding = jsonCodingOf(head.headers);
  if (isForm || coding !== 'identity')
    throw unreadable(head, typeof coding === 'object' && !isForm ? coding.problem : 'is encoded');
  return 'json';
}

function unreadable(head: RequestHead, why: string): ProxyError {
  return new ProxyError(
    'policy_denied',
    `the request to ${head.destination.host} has to be read, so that tokens of its log-in can be put into it, and its body ${why}; send a form or JSON, not encoded`,
  );
}

function injectedOf(head: RequestHead, { used, owner, inside }: Scene): InjectedRequest {
  for (const one of used) inside.search(one);
  const searched = searchedValues(used.map((one) => one.searched));
  // Decoded where an origin does not heed that.
  const headers = askSearchable(head.headers, { decode: false, keepsRange: false });
  return {
    head: { ...head, headers },
    names: used.length === 0 ? [] : [owner.logIn],
    searched,
    decode: true,
    keepsRange: false,
    stripped: [],
    onRejected: () => undefined,
  };
}
