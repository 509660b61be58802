// SOCKS5 (RFC 1928) and its log-in by name and password (RFC 1929) as a server hears them: octets in, replies and what was asked for out.
// Names are left as names. Of the commands there is CONNECT.

import { ProxyError } from '../protocol/error.ts';
import { formatAuthority, parseAuthority } from './authority.ts';
import type { Authority } from './destination.ts';
import { formatIpv4, formatIpv6 } from './ip-address.ts';
import { latin1Text } from './latin1-text.ts';

/** What a server says of a request (RFC 1928 §6). */
const socksReplies = {
  succeeded: 0,
  failed: 1,
  notAllowed: 2,
  hostUnreachable: 4,
  commandUnknown: 7,
  addressUnknown: 8,
} as const;

type SocksReply = keyof typeof socksReplies;

export type SocksOutcome =
  | { readonly kind: 'incomplete' }
  /** Goes on with `loggedIn`. */
  | { readonly kind: 'login'; readonly name: string; readonly password: string }
  /** `rest` came behind the request and belongs to the connection. */
  | { readonly kind: 'connect'; readonly authority: Authority; readonly rest: Uint8Array }
  /** The reply is the last octets. */
  | { readonly kind: 'refused'; readonly error: ProxyError };

export interface SocksStep {
  /** To be written before anything else; empty: nothing. */
  readonly reply: Uint8Array;
  readonly outcome: SocksOutcome;
}

const version = 5;
const noLogIn = 0;
const byPassword = 2;
const noneAcceptable = 0xff;
const nothing: Uint8Array = new Uint8Array();

/** The conversation up to the reply for the request, which `socksReply` makes. */
export class SocksServer {
  readonly #method: number;
  #phase: 'greeting' | 'login' | 'waiting' | 'request' | 'over' = 'greeting';
  #held: Uint8Array = nothing;

  /** @param takesLogIn whether a name and a password are asked for; else who asks for nothing is served, and nobody else */
  constructor(takesLogIn: boolean) {
    this.#method = takesLogIn ? byPassword : noLogIn;
  }

  push(chunk: Uint8Array): SocksStep {
    // Behind the last reply they are nobody's.
    if (this.#phase === 'over') return incomplete;
    this.#held = joined(this.#held, chunk);
    let reply: Uint8Array = nothing;
    for (;;) {
      const step = this.#step();
      reply = joined(reply, step.reply);
      if (step.outcome !== undefined) return { reply, outcome: step.outcome };
    }
  }

  /** Whether the name and the password of the last step are good. */
  loggedIn(isGood: boolean): SocksStep {
    this.#phase = isGood ? 'request' : 'over';
    const reply = Uint8Array.of(1, isGood ? 0 : 1);
    if (!isGood) return { reply, outcome: refused('the log-in is refused') };
    const next = this.push(nothing);
    return { reply: joined(reply, next.reply), outcome: next.outcome };
  }

  #step(): { readonly reply: Uint8Array; readonly outcome?: SocksOutcome } {
    switch (this.#phase) {
      case 'greeting':
        return this.#greet();
      case 'login':
        return this.#takeLogIn();
      case 'request':
        return this.#takeRequest();
      case 'waiting':
      case 'over':
        return incomplete;
    }
  }

  #greet(): ReturnType<SocksServer['push']> | { readonly reply: Uint8Array } {
    const [first, count = 0] = this.#held;
    if (first !== undefined && first !== version) return this.#refuse(nothing, 'it is not version 5');
    if (this.#held.length < 2 || this.#held.length < 2 + count) return incomplete;
    const methods = this.#take(2 + count).subarray(2);
    if (!methods.includes(this.#method)) {
      const why =
        this.#method === noLogIn
          ? 'the client wants to log in, and this proxy takes no log-in'
          : 'the client offers no name and password';
      return this.#refuse(Uint8Array.of(version, noneAcceptable), why);
    }
    this.#phase = this.#method === byPassword ? 'login' : 'request';
    return { reply: Uint8Array.of(version, this.#method) };
  }

  #takeLogIn(): SocksStep {
    const held = this.#held;
    if (held.length > 0 && held[0] !== 1) return this.#refuse(nothing, 'the log-in is not version 1');
    const nameEnd = 2 + (held[1] ?? 0);
    const end = nameEnd + 1 + (held[nameEnd] ?? 0);
    if (held.length < 2 || held.length <= nameEnd || held.length < end) return incomplete;
    const taken = this.#take(end);
    this.#phase = 'waiting';
    const name = latin1Text(taken, 2, nameEnd);
    return {
      reply: nothing,
      outcome: { kind: 'login', name, password: latin1Text(taken, nameEnd + 1, end) },
    };
  }

  #takeRequest(): SocksStep {
    const held = this.#held;
    const [first, command, , form] = held;
    if (first !== undefined && first !== version)
      return this.#refuse(nothing, 'the request is not version 5');
    if (held.length < 5) return incomplete;
    const lengths: Readonly<Record<number, number>> = { 1: 4, 3: 1 + (held[4] ?? 0), 4: 16 };
    const addressBytes = lengths[form ?? 0];
    if (addressBytes === undefined)
      return this.#refuse(socksReply('addressUnknown'), 'the address is of no known form');
    const end = 4 + addressBytes + 2;
    if (held.length < end) return incomplete;
    const request = this.#take(end);
    if (command !== 1)
      return this.#refuse(socksReply('commandUnknown'), 'only CONNECT is served, not BIND and not UDP');
    try {
      const authority = authorityOf(request);
      this.#phase = 'over';
      const rest = this.#held;
      this.#held = nothing;
      return { reply: nothing, outcome: { kind: 'connect', authority, rest } };
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      this.#phase = 'over';
      return { reply: socksReply('notAllowed'), outcome: { kind: 'refused', error } };
    }
  }

  #take(bytes: number): Uint8Array {
    const taken = this.#held.slice(0, bytes);
    this.#held = this.#held.slice(bytes);
    return taken;
  }

  #refuse(reply: Uint8Array, why: string): SocksStep {
    this.#phase = 'over';
    return { reply, outcome: refused(why) };
  }
}

const incomplete: SocksStep = { reply: nothing, outcome: { kind: 'incomplete' } };

/** With the address of nobody: where the connection goes out is not the client's business. */
export function socksReply(reply: SocksReply): Uint8Array {
  return Uint8Array.of(version, socksReplies[reply], 0, 1, 0, 0, 0, 0, 0, 0);
}

/** By the same parser as that of CONNECT. A name is a name: what only an address has does not stand in it. */
function authorityOf(request: Uint8Array): Authority {
  const end = request.length - 2;
  const port = (request[end] ?? 0) * 256 + (request[end + 1] ?? 0);
  if (request[3] === 1) {
    const address = request.subarray(4, end).reduce((sum, octet) => sum * 256 + octet, 0);
    return parseAuthority(`${formatIpv4(address)}:${port}`);
  }
  if (request[3] === 4) {
    const groups = Array.from(
      { length: 8 },
      (_, i) => (request[4 + 2 * i] ?? 0) * 256 + (request[5 + 2 * i] ?? 0),
    );
    return parseAuthority(formatAuthority({ host: formatIpv6(groups), port }));
  }
  const name = latin1Text(request, 5, end);
  if (/[:[\]]/.test(name))
    throw new ProxyError('authority_malformed', 'The name of the SOCKS request has a colon or a bracket.');
  return parseAuthority(`${name}:${port}`);
}

function refused(why: string): SocksOutcome {
  return {
    kind: 'refused',
    error: new ProxyError('request_malformed', `The SOCKS request is refused: ${why}.`),
  };
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (second.length === 0) return first;
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
