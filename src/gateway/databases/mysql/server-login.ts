// The log-in at a server, without input and output: its packets in, what is to be sent out.

import { type MysqlLoginMethod, mysqlLoginMethods } from '../../../policy/mysql-end.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Greeting } from './greeting.ts';
import { fromServer, type MysqlRefusal, okStatus, PayloadReader, readError } from './packet.ts';
import { nonceBytesOf, passwordProof } from './password-proofs.ts';

/** What `caching_sha2_password` says behind a proof: that it is enough, or that the server keeps nothing to try it by. */
const isEnough = 0x03;
const wantsPassword = 0x04;

export interface ServerLoginOptions {
  readonly password: Secret<string>;
  readonly methods: readonly MysqlLoginMethod[];
  /** TLS has shown which server it is, so that it may be shown the password. */
  readonly isVerified: boolean;
  readonly greeting: Pick<Greeting, 'method' | 'nonce'>;
  /** Of a server's own text. */
  readonly errorCharactersMax: number;
}

export type LoginStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'send'; readonly payload: Uint8Array }
  | { readonly kind: 'done'; readonly method: MysqlLoginMethod; readonly status: number }
  /** It asks for what it does not get. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'rejected'; readonly refusal: MysqlRefusal };

export class ServerLogin {
  readonly #options: ServerLoginOptions;
  #method: MysqlLoginMethod;
  #wasSwitched = false;
  /** Of the second round of caching_sha2_password. */
  #round: 'proof' | 'enough' | 'password' = 'proof';

  constructor(options: ServerLoginOptions) {
    this.#options = options;
    this.#method = firstMethod(options);
  }

  /** What goes with the user's name. */
  first(): { readonly method: string; readonly proof: Uint8Array } {
    const { methods, greeting, password } = this.#options;
    // What a server greets with is too short for it; the server asks for the method of its user behind that.
    if (this.#method === 'client_ed25519')
      return { method: 'mysql_native_password', proof: new Uint8Array(0) };
    const isAllowed = methods.includes(this.#method);
    return {
      method: this.#method,
      proof: isAllowed ? passwordProof(this.#method, password.reveal(), greeting.nonce) : new Uint8Array(0),
    };
  }

  receive(payload: Uint8Array): LoginStep {
    switch (payload[0]) {
      case fromServer.ok: {
        const status = okStatus(payload);
        return status === undefined
          ? failed('it took the log-in with a packet that is none')
          : { kind: 'done', method: this.#method, status };
      }
      case fromServer.error:
        return { kind: 'rejected', refusal: readError(payload, this.#options.errorCharactersMax) };
      case fromServer.switchMethod:
        return this.#switch(payload);
      case fromServer.moreData:
        return this.#goOn(payload[1], payload.length);
      default:
        return failed('it sent a packet that has no place in a log-in');
    }
  }

  #switch(payload: Uint8Array): LoginStep {
    const { methods, password } = this.#options;
    if (payload.length === 1) return failed('it asks for the log-in of MySQL 3, which is not spoken here');
    if (this.#wasSwitched) return failed('it asks for another method twice');
    this.#wasSwitched = true;
    const reader = new PayloadReader(payload.subarray(1));
    const name = reader.text();
    const nonce = reader.rest();
    const method = mysqlLoginMethods.find((one) => one === name);
    if (reader.isMalformed || method === undefined)
      return failed(`it asks for the method ${shown(name)}, which is not spoken here`);
    if (!methods.includes(method))
      return failed(`it asks for the method ${method}, which the rule does not allow`);
    const bytes = nonceBytesOf[method];
    if (nonce.length < bytes || nonce.length > bytes + 1)
      return failed(`its request for the method ${method} is not as it has to be`);
    this.#method = method;
    this.#round = 'proof';
    return { kind: 'send', payload: passwordProof(method, password.reveal(), nonce.subarray(0, bytes)) };
  }

  #goOn(said: number | undefined, length: number): LoginStep {
    const { methods, password, isVerified } = this.#options;
    const isExpected =
      this.#method === 'caching_sha2_password' && methods.includes(this.#method) && this.#round === 'proof';
    if (!isExpected || length !== 2) return failed('it goes on with a log-in that has no more to it');
    if (said === isEnough) {
      this.#round = 'enough';
      return { kind: 'wait' };
    }
    if (said !== wantsPassword) return failed('it asks for something that caching_sha2_password has not');
    // Its key for that (RSA) could be anybody's.
    if (!isVerified)
      return failed(
        'it asks for the password itself (caching_sha2_password), which it gets over verified TLS alone',
      );
    this.#round = 'password';
    return { kind: 'send', payload: Buffer.from(`${password.reveal()}\0`, 'utf8') };
  }
}

/** That of the server where it may be, else one whose proof can be made of what the server greeted with. */
function firstMethod({ methods, greeting }: ServerLoginOptions): MysqlLoginMethod {
  const direct = methods.filter((one) => one !== 'client_ed25519');
  return direct.find((one) => one === greeting.method) ?? direct[0] ?? 'client_ed25519';
}

function shown(name: string): string {
  return /^[A-Za-z0-9_]{1,64}$/.test(name) ? name : 'of another name';
}

function failed(message: string): LoginStep {
  return { kind: 'failed', message };
}
