// What a session asks of the agent of SSH: for its keys, to take a server for a connection, or to sign. Each octet has one reading, and whatever
// else a client could ask of an agent is refused.

import { latin1Text } from '../http/latin1-text.ts';
import { agentMessage, AgentMessages, bindExtension } from '../protocol/ssh-agent.ts';
import { ProxyError } from '../protocol/error.ts';

/** A server has proved to a client that it has the key, in the session of SSH with this id. */
export interface SessionBind {
  /** As they travel. */
  readonly hostKey: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly signature: Uint8Array;
}

/** A log-in at the server of the bind, or a hash for git. */
export type AgentSigns =
  | { readonly kind: 'log-in'; readonly user: string; readonly hostKey: Uint8Array }
  | { readonly kind: 'hash'; readonly hash: AgentHash };

export type AgentHash = 'sha256' | 'sha512';

export interface AgentSignature {
  readonly kind: 'sign';
  readonly signs: AgentSigns;
  /** Undefined: it is for no session of SSH. */
  readonly bind: SessionBind | undefined;
  /** The key that is to sign, as it travels. */
  readonly key: Uint8Array;
  readonly algorithm: string;
  /** The octets that are to be signed. */
  readonly data: Uint8Array;
}

export type AgentRequest =
  | { readonly kind: 'identities' }
  | { readonly kind: 'bind'; readonly bind: SessionBind }
  | AgentSignature;

/** A request, behind the bind of its connection if that has one. Text: why it is refused. */
export function readAgentRequest(body: Uint8Array): AgentRequest | string {
  const messages = messagesOf(body);
  if (typeof messages === 'string') return messages;
  const [first, second, ...more] = messages;
  if (first === undefined || more.length > 0) return 'it is not one message, or a bind and one message';
  const request = readMessage(first);
  if (second === undefined || typeof request === 'string')
    return typeof request !== 'string' && request.kind === 'sign' ? judged(request, undefined) : request;
  if (request.kind !== 'bind') return 'what stands before the message is no bind';
  const bound = readMessage(second);
  if (typeof bound === 'string') return bound;
  switch (bound.kind) {
    case 'identities':
      return bound;
    case 'bind':
      return 'the connection is bound already: a second bind would be that of an agent that is forwarded';
    case 'sign':
      return judged(bound, request.bind);
  }
}

function messagesOf(body: Uint8Array): readonly Uint8Array[] | string {
  const messages = new AgentMessages();
  try {
    const read = messages.push(body);
    return messages.isWithin ? 'the last message is cut off' : read;
  } catch (error) {
    return error instanceof ProxyError ? error.message : 'it is no message to an agent of SSH';
  }
}

type Unbound = Omit<AgentSignature, 'bind' | 'signs'> & { readonly wanted: Wanted };

type Wanted =
  | {
      readonly kind: 'log-in';
      readonly sessionId: Uint8Array;
      readonly user: string;
      /** Of `publickey-hostbound-v00@openssh.com`. */
      readonly hostKey: Uint8Array | undefined;
    }
  | { readonly kind: 'hash'; readonly hash: AgentHash };

/** Whether what is to be signed is for the server of the connection. */
function judged({ wanted, ...unbound }: Unbound, bind: SessionBind | undefined): AgentSignature | string {
  if (wanted.kind === 'hash')
    return bind === undefined
      ? { ...unbound, bind, signs: wanted }
      : 'the connection is bound to a server, and nothing but a log-in there is signed on it';
  if (bind === undefined) return 'the log-in is bound to no server (session-bind@openssh.com, OpenSSH 8.9)';
  if (!isSame(bind.sessionId, wanted.sessionId)) return 'the log-in is that of another session of SSH';
  if (wanted.hostKey !== undefined && !isSame(wanted.hostKey, bind.hostKey))
    return 'the log-in names another server than the connection is bound to';
  const { user } = wanted;
  return { ...unbound, bind, signs: { kind: 'log-in', user, hostKey: bind.hostKey } };
}

function readMessage(
  message: Uint8Array,
): Exclude<AgentRequest, { readonly kind: 'sign' }> | (Unbound & { readonly kind: 'sign' }) | string {
  const fields = new Fields(message);
  const type = fields.octet();
  switch (type) {
    case agentMessage.requestIdentities:
      return fields.isOver ? { kind: 'identities' } : 'the request for keys has more than that';
    case agentMessage.extension:
      return readBind(fields);
    case agentMessage.signRequest:
      return readSign(fields);
    default:
      return `the agent lists keys, takes a bind and signs; it does nothing for messages of type ${type}`;
  }
}

function readBind(fields: Fields): { readonly kind: 'bind'; readonly bind: SessionBind } | string {
  const name = fields.text();
  if (name !== bindExtension) return 'the agent has no such extension';
  const bind = { hostKey: fields.string(), sessionId: fields.string(), signature: fields.string() };
  const isForwarding = fields.octet();
  if (!fields.isOver || isForwarding > 1) return 'the bind is not of its form';
  if (isForwarding === 1) return 'the bind is that of an agent that is forwarded';
  return isSessionId(bind.sessionId) ? { kind: 'bind', bind } : 'the id of the session is not of its length';
}

/** A hash of 256 bits or more: what is shorter is SHA-1 (RFC 4253 §7.2). */
function isSessionId({ length }: Uint8Array): boolean {
  return length >= 32 && length <= 64;
}

function readSign(fields: Fields): (Unbound & { readonly kind: 'sign' }) | string {
  const [key, data, flags] = [fields.string(), fields.string(), fields.number()];
  if (!fields.isOver) return 'the request to sign is not of its form';
  const algorithm = algorithmOf(key, flags);
  if (algorithm === undefined) return 'the key is of no type that signs here, or SHA-1 is asked for';
  const wanted =
    latin1Text(data, 0, signatureMagic.length) === signatureMagic
      ? readHash(data)
      : readLogIn(data, key, algorithm);
  return typeof wanted === 'string' ? wanted : { kind: 'sign', key, data, algorithm, wanted };
}

/** Flags of a request say with which hash a key of RSA signs; those of others have one. Never SHA-1, which is that of no flag. */
function algorithmOf(key: Uint8Array, flags: number): string | undefined {
  const type = new Fields(key).text();
  if (type === 'ssh-rsa') return flags === 4 ? 'rsa-sha2-512' : flags === 2 ? 'rsa-sha2-256' : undefined;
  return flags === 0 && ownAlgorithm.has(type) ? type : undefined;
}

const ownAlgorithm: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
]);

const userAuthRequest = 50;

/** RFC 4252 §7, and PROTOCOL of OpenSSH for the one that names the server. */
function readLogIn(data: Uint8Array, key: Uint8Array, algorithm: string): Wanted | string {
  const fields = new Fields(data);
  const sessionId = fields.string();
  if (fields.octet() !== userAuthRequest || !isSessionId(sessionId))
    return 'it is neither a log-in of SSH nor a hash for git';
  const user = fields.text();
  const [service, method] = [fields.text(), fields.text()];
  const isBound = method === 'publickey-hostbound-v00@openssh.com';
  if (service !== 'ssh-connection' || (method !== 'publickey' && !isBound))
    return 'the log-in is for another service, or by another method, than a key';
  const [hasSignature, named, shown] = [fields.octet(), fields.text(), fields.string()];
  const hostKey = isBound ? fields.string() : undefined;
  if (!fields.isOver || hasSignature !== 1 || user === '') return 'the log-in is not of its form';
  if (named !== algorithm || !isSame(shown, key))
    return 'the log-in is by another key, or another algorithm, than is asked for';
  return { kind: 'log-in', sessionId, user, hostKey };
}

const signatureMagic = 'SSHSIG';
const hashLengths: ReadonlyMap<string, number> = new Map<AgentHash, number>([
  ['sha256', 32],
  ['sha512', 64],
]);

/** PROTOCOL.sshsig of OpenSSH: what is signed in place of a file. */
function readHash(data: Uint8Array): Wanted | string {
  const fields = new Fields(data.subarray(signatureMagic.length));
  const [namespace, reserved, hash, digest] = [
    fields.text(),
    fields.string(),
    fields.text(),
    fields.string(),
  ];
  if (!fields.isOver || reserved.length > 0) return 'the hash to sign is not of its form';
  if (namespace !== 'git') return 'the hash is for another purpose than git, or for none that can be read';
  if (digest.length !== hashLengths.get(hash)) return 'the hash is of another kind than SHA-256 and SHA-512';
  // The map has these keys alone.
  return { kind: 'hash', hash: hash as AgentHash };
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}

/** Fields of RFC 4251 §5. What is cut off is empty, and is told at the end. */
class Fields {
  readonly #octets: Uint8Array;
  #at = 0;
  #isCut = false;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** Nothing was missing, and nothing is left. */
  get isOver(): boolean {
    return !this.#isCut && this.#at === this.#octets.length;
  }

  octet(): number {
    return this.#take(1)[0] ?? 0;
  }

  number(): number {
    const octets = this.#take(4);
    return octets.length === 4 ? new DataView(octets.buffer, octets.byteOffset).getUint32(0) : 0;
  }

  string(): Uint8Array {
    return this.#take(this.number());
  }

  /** Empty where it is no text that people see: no name that counts here has other characters. */
  text(): string {
    const octets = this.string();
    const text = latin1Text(octets, 0, octets.length);
    return /^[!-~]{1,256}$/.test(text) ? text : '';
  }

  #take(length: number): Uint8Array {
    if (length > this.#octets.length - this.#at) this.#isCut = true;
    if (this.#isCut) return new Uint8Array();
    this.#at += length;
    return this.#octets.subarray(this.#at - length, this.#at);
  }
}
