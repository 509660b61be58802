// A decider that is asked as Envoy asks: envoy.service.auth.v3.Authorization over gRPC.

import type { Secret } from '../../protocol/secret.ts';
import { checkRequest, checkVerdict } from './check-message.ts';
import type { DialService } from '../forward/dial-service.ts';
import { type Decider, DeciderFault, type DeciderQuestion, type Verdict } from './decider.ts';
import { GrpcConnection } from './grpc-connection.ts';

export interface GrpcDeciderOptions {
  readonly url: string;
  readonly dial: DialService;
  readonly token: (() => Promise<Secret<string>>) | undefined;
}

const path = '/envoy.service.auth.v3.Authorization/Check';

export class GrpcDecider implements Decider {
  readonly #connection: GrpcConnection;
  readonly #token: GrpcDeciderOptions['token'];

  constructor({ url, dial, token }: GrpcDeciderOptions) {
    this.#connection = new GrpcConnection(url, dial);
    this.#token = token;
  }

  async ask(question: DeciderQuestion, signal: AbortSignal, timeoutMs: number): Promise<Verdict> {
    if (question.response !== undefined) throw new DeciderFault('its protocol knows requests alone');
    const secret = await this.#token?.();
    const headers: Record<string, string> =
      secret === undefined ? {} : { authorization: `Bearer ${secret.reveal()}` };
    const message = checkRequest(question);
    return checkVerdict(await this.#connection.call({ path, message, headers, timeoutMs, signal }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}
