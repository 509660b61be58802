// Sizes and signals for what runs at a server. A client may send more of them than the server takes: of sizes the last one counts, and a
// signal that comes while another one waits is left out.

import type { ClientChannel, WindowChangeInfo } from 'ssh2';
import type { SshWire } from './ssh-wire.ts';

/** RFC 4254 §6.10. The library throws for others. */
export const shellSignals: ReadonlySet<string> = new Set(
  'ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2'.split(' '),
);

type Controlled = Pick<ClientChannel, 'setWindow' | 'signal'>;
type Counted = Pick<SshWire, 'given' | 'whenWritten' | 'destroyed'>;

export class ShellControls {
  readonly #channel: Controlled;
  readonly #wire: Counted;
  #size: WindowChangeInfo | undefined;
  #signal: string | undefined;
  #isSending = false;

  constructor(channel: Controlled, wire: Counted) {
    this.#channel = channel;
    this.#wire = wire;
  }

  resized(size: WindowChangeInfo): void {
    this.#size = size;
    this.#send();
  }

  signalled(name: string): void {
    if (!shellSignals.has(name)) return;
    this.#signal ??= name;
    this.#send();
  }

  #send(): void {
    const [size, signal] = [this.#size, this.#signal];
    if (this.#isSending || this.#wire.destroyed || (size === undefined && signal === undefined)) return;
    this.#size = undefined;
    this.#signal = undefined;
    this.#isSending = true;
    const before = this.#wire.given;
    if (size !== undefined) this.#channel.setWindow(size.rows, size.cols, size.height, size.width);
    if (signal !== undefined) this.#channel.signal(signal);
    // While new keys are agreed upon the library holds back what it is given, and then something else is written first.
    this.#wire.whenWritten(before + 1, () => {
      this.#isSending = false;
      this.#send();
    });
  }
}
