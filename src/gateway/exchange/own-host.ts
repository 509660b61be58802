// One exchange with the gateway itself: it reads the body within its bounds and lets the desk or the doctor respond. Nothing is
// dialled.

import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import { HeaderList } from '../../http/header-list.ts';
import type { RequestHead } from '../../http/message-head.ts';
import { deadlineWith, type LinkAbsence } from '../../net/link-absence.ts';
import type { Principal } from '../../policy/decision.ts';
import {
  accessHost,
  doctorPath,
  isDoctorPath,
  isEmulatedPort,
  signPath,
} from '../../policy/granted-policy.ts';
import { identityPath } from '../../protocol/identity-address.ts';
import { sshAgentPath } from '../../protocol/ssh-agent.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { acceptsJson, denialText } from './denial.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { CredentialSet } from '../credentials/credential-set.ts';
import type { EmulatedResponse, Emulations, IsFor } from '../credentials/emulation/emulations.ts';
import type { AccessDesk } from '../access/access-desk.ts';
import type { ClientExchange } from './client-exchange.ts';
import { doctorResponse, type DoctorResponse } from './doctor-response.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { mayHave } from './granted-credentials.ts';
import { serveSshAgent } from './serve-ssh-agent.ts';
import { signObject, type SigningExchange } from './sign-object.ts';
import { policyPath, sessionPolicy, sharedBudgets } from './session-policy.ts';

export interface AccessExchange {
  readonly client: ClientExchange;
  readonly head: RequestHead;
  readonly principal: Principal;
  readonly limits: Limits;
  /** When the client could not be reached. */
  readonly absence: LinkAbsence | undefined;
  readonly clock: () => number;
  readonly parts: SigningExchange['parts'] & Pick<ExchangeParts, 'held' | 'credentials'>;
  readonly record: ExchangeRecord;
}

/** Whether the gateway itself responds: at its own name, and in the place of clouds that are emulated. */
export function isServedHere(
  destination: RequestHead['destination'],
  { emulations }: Pick<CredentialSet, 'emulations'>,
): boolean {
  const { host } = destination;
  return host === accessHost || (emulations.hosts.has(host) && isEmulatedPort(destination));
}

/** Responds to a request to the gateway's own name; without a desk only the doctor's. Throws ProxyError for what cannot be taken. */
export async function respondForOwnHost(
  desk: AccessDesk | undefined,
  exchange: AccessExchange,
): Promise<void> {
  const { client, head, record, principal, parts, limits } = exchange;
  const { method } = head;
  const signer = signerOf(head);
  const bound = signer?.bound ?? bodyBounds.access;
  // Many of them at once are large enough to be counted.
  const room =
    signer === undefined ? undefined : parts.held.reserve(principal.sessionId, limits[bound.limit]);
  if (room !== undefined) record.keeps(() => room.release());
  client.sendContinue();
  const body = await readBody(exchange, bound);
  const response: EmulatedResponse =
    signer === undefined ? await ownResponse(desk, exchange, body) : await signer.respond(exchange, body);
  const bytes = Buffer.from(response.text);
  const responseBytes = method === 'HEAD' ? 0 : bytes.length;
  record.servedHere(response.status, { request: body.length, response: responseBytes });
  if (signer !== undefined) record.passed();
  client.sendHead({
    status: response.status,
    headers: new HeaderList([
      ['content-type', response.type],
      ['cache-control', 'no-store'],
      ['x-trace-id', record.traceId],
      ['content-length', String(bytes.length)],
      ...Object.entries(response.headers ?? {}),
    ]),
  });
  if (method !== 'HEAD') client.sendData(bytes);
  client.sendEnd([]);
}

interface Signer {
  readonly bound: BodyBound;
  readonly respond: typeof signObject;
}

/** Who signs what is sent there; undefined: nothing is signed. */
function signerOf({ destination, path }: RequestHead): Signer | undefined {
  if (destination.host !== accessHost) return undefined;
  if (path === signPath) return { bound: bodyBounds.signing, respond: signObject };
  return path === sshAgentPath ? { bound: bodyBounds.agent, respond: serveSshAgent } : undefined;
}

async function ownResponse(
  desk: AccessDesk | undefined,
  { head, principal, limits, clock, parts, record }: AccessExchange,
  body: Buffer,
): Promise<EmulatedResponse> {
  const policy = parts.policy();
  const { method, path, query, destination } = head;
  if (destination.host !== accessHost || path.startsWith(identityPath))
    return emulated(parts.credentials.emulations, head, {
      body,
      nowMs: clock(),
      isFor: mayHave(principal, policy),
    });
  if (isDoctorPath(path)) {
    const { scheme } = destination;
    const protocol = record.facts.protocol ?? '';
    const ports = policy.capturePorts(principal).slice(0, limits.capturePortsMax);
    const request = { method, path, query, scheme, protocol, principal, ports, nowMs: clock() };
    return proofResponse(request, record.traceId);
  }
  const isPolicy = path === policyPath && (method === 'GET' || method === 'HEAD');
  if (isPolicy) {
    // A session that was narrowed can ask for nothing.
    const asked =
      principal.narrowed !== undefined
        ? undefined
        : await desk?.respond({ method: 'GET', path: '/access', body: '', principal });
    const wantsJson = head.headers.all('accept').some(acceptsJson);
    const requests = asked?.body['requests'];
    const nowMs = clock();
    const { sessionViewRulesMax: max } = defaultLimits;
    const told = policy.rulesFor(principal, { nowMs, max });
    const spent = await parts.budgets.spentBy(principal, sharedBudgets(told, nowMs));
    return sessionPolicy({ version: policy.version, told, requests, spent, wantsJson, nowMs });
  }
  if (desk === undefined)
    throw new ProxyError(
      'access_unknown',
      `Requests for access are turned off; GET ${doctorPath} and GET ${policyPath} are served.`,
    );
  const response = await desk.respond({ method, path, body: body.toString(), principal });
  const text = `${JSON.stringify(response.body, undefined, 2)}\n`;
  return { status: response.status, type: 'application/json', text };
}

/** What is not there is told as the services themselves tell it: by its status. */
function emulated(
  emulations: Emulations,
  { method, path, query, headers, destination: { host } }: RequestHead,
  { body, nowMs, isFor }: { readonly body: Buffer; readonly nowMs: number; readonly isFor: IsFor },
): EmulatedResponse {
  const field = (name: string): string | undefined => {
    const [value, ...others] = headers.all(name);
    return others.length === 0 ? value : undefined;
  };
  const request = { method, host, path, query: query ?? '', field, body: body.toString(), nowMs };
  const none = { status: 404, type: 'text/plain; charset=utf-8', text: 'upstreamproxy: not emulated here\n' };
  return emulations.respond(request, isFor) ?? none;
}

/** A proof asks for what is not there too, as clients of Go do: that it is told so is the proof, and nothing that failed. */
function proofResponse(request: Parameters<typeof doctorResponse>[0], traceId: string): DoctorResponse {
  try {
    return doctorResponse(request);
  } catch (error) {
    const { code, message, httpStatus } = asProxyError(error);
    if (code !== 'access_unknown') throw error;
    return {
      status: httpStatus,
      type: 'text/plain; charset=utf-8',
      text: denialText({ code, message, traceId }),
    };
  }
}

interface BodyBound {
  readonly limit: 'accessBodyBytesMax' | 'signedObjectBytesMax' | 'sshAgentBodyBytesMax';
  readonly what: string;
}

const bodyBounds = {
  access: { limit: 'accessBodyBytesMax', what: 'a request for access' },
  signing: { limit: 'signedObjectBytesMax', what: 'a commit or tag to sign' },
  agent: { limit: 'sshAgentBodyBytesMax', what: 'a request to the agent of SSH' },
} as const satisfies Record<string, BodyBound>;

async function readBody({ client, limits, absence }: AccessExchange, bound: BodyBound): Promise<Buffer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const deadline = deadlineWith(absence, limits.headTimeoutMs, () => {
    reject(new ProxyError('timeout', `the body did not arrive within ${limits.headTimeoutMs} ms`));
  });
  try {
    return await Promise.race([collect(client.body, limits[bound.limit], bound), late]);
  } finally {
    deadline.clear();
  }
}

async function collect(body: Readable, bytesMax: number, { limit, what }: BodyBound): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The connection must stay usable for the response, which leaving the loop early would prevent.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Buffer))
      throw new ProxyError('internal', 'the body gives text where bytes are expected');
    bytes += chunk.length;
    if (bytes > bytesMax)
      throw new ProxyError('body_too_large', `${what} has at most ${bytesMax} bytes (${limit})`, { limit });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
