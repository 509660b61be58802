// A connection of a client of SSH to the agent of its session: which server it is for it says once, and each message that asks for something
// goes to the gateway, which has the keys and judges. What has no response there fails here.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import {
  agentFailure,
  agentFrame,
  agentMessage,
  AgentMessages,
  bindExtension,
} from '../../protocol/ssh-agent.ts';
import type { Logger } from '../../system/logger.ts';

export interface SshAgentContext {
  /** What the gateway responds to messages with their lengths, in the same form. @throws ProxyError why there is no response */
  readonly ask: (octets: Uint8Array) => Promise<Uint8Array>;
  readonly limits: Limits;
  readonly logger: Logger;
}

/** Serves it to its end. Never throws; every fault ends this connection alone. */
export async function serveSshAgent(
  socket: Duplex & Pick<Socket, 'destroySoon'>,
  context: SshAgentContext,
): Promise<void> {
  const { limits, logger } = context;
  const { sshAgentIdleTimeoutMs, sshAgentMessagesMax } = defaultLimits;
  socket.on('error', () => undefined);
  const connection = new SshAgentConnection(context);
  const messages = new AgentMessages();
  let count = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waitFor = (timeoutMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), timeoutMs);
  };
  waitFor(sshAgentIdleTimeoutMs);
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      const wasWithin = messages.isWithin;
      const whole = messages.push(chunk);
      for (const message of whole) {
        count += 1;
        if (count > sshAgentMessagesMax) return;
        clearTimeout(timer);
        const response = await connection.respond(message);
        waitFor(limits.headTimeoutMs);
        if (!socket.write(response)) await drained(socket);
      }
      // A message that has begun comes at once, all of it; a person may have to be asked for a password in between.
      if (!messages.isWithin) waitFor(sshAgentIdleTimeoutMs);
      else if (!wasWithin || whole.length > 0) waitFor(limits.headTimeoutMs);
    }
  } catch (error) {
    if (error instanceof ProxyError)
      logger.info(`a client of the agent of SSH was refused: ${error.message}`);
  } finally {
    clearTimeout(timer);
    socket.destroySoon();
  }
}

/** Also one that was closed has. */
function drained(socket: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (socket.destroyed) resolve();
  for (const event of ['drain', 'close']) socket.once(event, () => resolve());
  return promise;
}

type BindState =
  | { readonly kind: 'none' }
  | { readonly kind: 'taken'; readonly frame: Uint8Array }
  | { readonly kind: 'refused' };

class SshAgentConnection {
  readonly #context: SshAgentContext;
  #bind: BindState = { kind: 'none' };

  constructor(context: SshAgentContext) {
    this.#context = context;
  }

  async respond(message: Uint8Array): Promise<Uint8Array> {
    switch (message[0]) {
      case agentMessage.requestIdentities:
        return await this.#ask(agentFrame(message));
      case agentMessage.extension:
        return isBind(message) ? await this.#bindTo(agentFrame(message)) : agentFailure;
      case agentMessage.signRequest: {
        const { kind } = this.#bind;
        // A bind that was refused is that of another server, or of an agent that is forwarded.
        if (kind === 'refused') return agentFailure;
        const bound = this.#bind.kind === 'taken' ? [this.#bind.frame] : [];
        return await this.#ask(Buffer.concat([...bound, agentFrame(message)]));
      }
      default:
        return agentFailure;
    }
  }

  /** The first counts: another one would be that of a server to which the connection was forwarded. */
  async #bindTo(frame: Uint8Array): Promise<Uint8Array> {
    const { kind } = this.#bind;
    this.#bind = { kind: 'refused' };
    if (kind !== 'none') return agentFailure;
    const response = await this.#ask(frame);
    if (response[4] === agentMessage.success) this.#bind = { kind: 'taken', frame };
    return response;
  }

  async #ask(octets: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#context.ask(octets);
    } catch (error) {
      // The client shows that the agent refused, and nothing else can be told to it.
      this.#context.logger.info(`the agent of SSH: ${asProxyError(error).message}`);
      return agentFailure;
    }
  }
}

function isBind(message: Uint8Array): boolean {
  const named = agentFrame(Buffer.from(bindExtension));
  return Buffer.from(message.subarray(1, 1 + named.length)).equals(named);
}
