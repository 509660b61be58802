// The log-in at a server as a state machine: messages of the server in, bytes for it or a result out.

import { createHash } from 'node:crypto';
import type { LimitName } from '../../../protocol/limits.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { PostgresLoginMethod } from '../../../policy/postgres-end.ts';
import { fromServer, type Message, messageOf, readError, readUint32, uint32 } from './message.ts';
import { ScramError, ScramLogin } from './scram.ts';

export interface ServerLoginOptions {
  readonly user: string;
  readonly password: Secret<string>;
  /** Methods that the rule lets the password be used with. */
  readonly methods: readonly PostgresLoginMethod[];
  /** Whether the server has shown who it is: only then may a method be used that shows it the password. */
  readonly isVerified: boolean;
  /** Of its certificate; undefined: nothing can be bound. */
  readonly binding: Uint8Array | undefined;
  readonly nonce: string;
  readonly iterationsMax: number;
  readonly errorCharactersMax: number;
}

export type LoginStep =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  | { readonly kind: 'wait' }
  | { readonly kind: 'done'; readonly method: PostgresLoginMethod | 'none' }
  /** The server does not take user and password. */
  | { readonly kind: 'rejected'; readonly sqlState: string; readonly message: string }
  /** It does not speak as it must, or asks for what the rule does not allow. */
  | { readonly kind: 'failed'; readonly message: string; readonly limit?: LimitName };

/** Numbers of authentication requests. */
const request = { ok: 0, cleartext: 3, md5: 5, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;

/** RFC 7677 §4. Whoever poses as the server, or listens, can try passwords on the proof: fewer rounds make each try cheap. */
const plaintextIterationsMin = 4096;

export class ServerLogin {
  readonly #options: ServerLoginOptions;
  #state: 'began' | 'asked' | 'first' | 'final' | 'verified' | 'over' = 'began';
  #method: PostgresLoginMethod | 'none' = 'none';
  #scram: ScramLogin | undefined;

  constructor(options: ServerLoginOptions) {
    this.#options = options;
  }

  async receive({ type, body }: Message): Promise<LoginStep> {
    if (this.#state === 'over') return failed('it goes on behind the end of the log-in');
    switch (type) {
      case fromServer.error: {
        this.#state = 'over';
        return { kind: 'rejected', ...readError(body, this.#options.errorCharactersMax) };
      }
      case fromServer.notice:
        return { kind: 'wait' };
      case fromServer.negotiateProtocolVersion:
        return failed('it does not speak protocol 3.0');
      case fromServer.authentication: {
        const step = await this.#authenticate(readUint32(body, 0), body.subarray(4));
        if (step.kind !== 'send' && step.kind !== 'wait') this.#state = 'over';
        return step;
      }
      default:
        return failed('it sent a message that has no place in a log-in');
    }
  }

  async #authenticate(asked: number | undefined, rest: Uint8Array): Promise<LoginStep> {
    switch (asked) {
      case request.ok:
        return this.#taken();
      case request.cleartext:
        return this.#reveal('cleartext', ({ password }) => password.reveal());
      case request.md5:
        return rest.length === 4
          ? this.#reveal('md5', ({ user, password }) => md5Response(user, password, rest))
          : failed('its request for an MD5 hash has no salt');
      case request.sasl:
        return this.#beginScram(rest);
      case request.saslContinue:
        return await this.#goOnWithScram(rest);
      case request.saslFinal:
        return this.#endScram(rest);
      default:
        return failed(`it asks for a method of authentication (${String(asked)}) that is not spoken here`);
    }
  }

  #taken(): LoginStep {
    // A server that let SCRAM begin has to end it: without its signature nobody knows who it is.
    if (this.#state === 'first' || this.#state === 'final')
      return failed('it took the log-in before it showed that it knows the password');
    // Its certificate shows who it is, or else SCRAM does.
    if (this.#state !== 'verified' && !this.#options.isVerified)
      return failed('it took the log-in without SCRAM and without TLS, so nobody knows which server it is');
    return { kind: 'done', method: this.#method };
  }

  #reveal(method: 'md5' | 'cleartext', response: (options: ServerLoginOptions) => string): LoginStep {
    const { methods, isVerified } = this.#options;
    if (this.#state !== 'began') return failed('it asks for a password twice');
    if (!methods.includes(method))
      return failed(`it asks for the method ${method}, which the rule does not allow`);
    if (!isVerified)
      return failed(`it asks for the method ${method} without TLS, which would show the password`);
    this.#state = 'asked';
    this.#method = method;
    return { kind: 'send', bytes: messageOf('p', `${response(this.#options)}\0`) };
  }

  #beginScram(rest: Uint8Array): LoginStep {
    const { methods, password, nonce, binding, iterationsMax, isVerified } = this.#options;
    if (this.#state !== 'began') return failed('it begins SCRAM behind another method');
    if (!methods.includes('scram-sha-256'))
      return failed('it asks for the method scram-sha-256, which the rule does not allow');
    const offered = new TextDecoder().decode(rest).split('\0');
    const isBindingOffered = offered.includes('SCRAM-SHA-256-PLUS');
    if (!isBindingOffered && !offered.includes('SCRAM-SHA-256'))
      return failed('it offers no mechanism that is spoken here (SCRAM-SHA-256)');
    // Without a binding of ours the other one has to be there.
    if (binding === undefined && !offered.includes('SCRAM-SHA-256'))
      return failed('it offers SCRAM with channel binding alone, and its certificate has nothing to bind to');
    const iterationsMin = isVerified ? 1 : plaintextIterationsMin;
    this.#scram = new ScramLogin({
      password,
      nonce,
      binding,
      isBindingOffered,
      iterationsMin,
      iterationsMax,
    });
    this.#state = 'first';
    this.#method = 'scram-sha-256';
    const { mechanism, first } = this.#scram;
    const text = new TextEncoder().encode(first);
    return { kind: 'send', bytes: messageOf('p', `${mechanism}\0`, uint32(text.length), text) };
  }

  async #goOnWithScram(rest: Uint8Array): Promise<LoginStep> {
    if (this.#scram === undefined || this.#state !== 'first')
      return failed('it goes on with SCRAM that did not begin');
    this.#state = 'final';
    try {
      return { kind: 'send', bytes: messageOf('p', await this.#scram.final(new TextDecoder().decode(rest))) };
    } catch (error) {
      if (error instanceof ScramError) return failed(error.message, error.limit);
      throw error;
    }
  }

  #endScram(rest: Uint8Array): LoginStep {
    if (this.#scram === undefined || this.#state !== 'final')
      return failed('it ends SCRAM that did not go on');
    if (!this.#scram.verify(new TextDecoder().decode(rest)))
      return failed('it did not show that it knows the password (SCRAM)');
    this.#state = 'verified';
    return { kind: 'wait' };
  }
}

function md5Response(user: string, password: Secret<string>, salt: Uint8Array): string {
  const inner = createHash('md5').update(password.reveal()).update(user).digest('hex');
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`;
}

function failed(message: string, limit?: LimitName): LoginStep {
  return { kind: 'failed', message, ...(limit === undefined ? {} : { limit }) };
}
