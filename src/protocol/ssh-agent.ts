// The protocol of agents of SSH (draft-ietf-sshm-ssh-agent), as far as sessions have one: numbers, and messages cut out of what a client sends.

import { ProxyError } from './error.ts';
import { defaultLimits } from './limits.ts';

/** The first octet of a message. */
export const agentMessage = {
  failure: 5,
  success: 6,
  requestIdentities: 11,
  identities: 12,
  signRequest: 13,
  signResponse: 14,
  extension: 27,
} as const;

/** By which a client says which server a connection to the agent is for (PROTOCOL.agent of OpenSSH). */
export const bindExtension = 'session-bind@openssh.com';

/** Where the gateway takes messages, at its own name: the bind of a connection and a message, or one alone. */
export const sshAgentPath = '/ssh-agent';

/** With its length before it, as it travels. */
export function agentFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, 4);
  return frame;
}

export const agentFailure = agentFrame(Uint8Array.of(agentMessage.failure));

/** Whole messages of octets that come in any pieces. */
export class AgentMessages {
  readonly #octetsMax: number;
  #rest = new Uint8Array();

  constructor(octetsMax: number = defaultLimits.sshAgentMessageOctetsMax) {
    this.#octetsMax = octetsMax;
  }

  /** Whether part of a message is there. */
  get isWithin(): boolean {
    return this.#rest.length > 0;
  }

  /** What is whole by now, without the lengths. @throws ProxyError ssh_agent_refused: nothing behind it can be read */
  push(chunk: Uint8Array): Uint8Array[] {
    const octets = new Uint8Array(this.#rest.length + chunk.length);
    octets.set(this.#rest);
    octets.set(chunk, this.#rest.length);
    const numbers = new DataView(octets.buffer);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (octets.length - at >= 4) {
      const length = numbers.getUint32(at);
      if (length === 0 || length > this.#octetsMax)
        throw new ProxyError(
          'ssh_agent_refused',
          `a message to the agent of SSH has 1 to ${this.#octetsMax} octets, not ${length} (sshAgentMessageOctetsMax)`,
          { limit: 'sshAgentMessageOctetsMax' },
        );
      if (octets.length - at - 4 < length) break;
      messages.push(octets.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#rest = octets.slice(at);
    return messages;
  }
}
