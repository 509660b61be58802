// What a client says of its terminal: which one it is, how large, and what it wants done to what runs in it.

import type { PseudoTtyInfo, PseudoTtyOptions, Session, WindowChangeInfo } from 'ssh2';

/** Who is told of changes. */
interface TerminalWatcher {
  resized(size: WindowChangeInfo): void;
  signalled(name: string): void;
}

/** As a size, in characters and points (RFC 4254 §6.2). */
const largestSize = 0xff_ff;
/** It becomes a variable of the shell's environment. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/;

export class ClientTerminal {
  #opened: PseudoTtyOptions | undefined;
  #watcher: TerminalWatcher | undefined;

  /** @param isAllowed whether there may be one at all */
  constructor(session: Session, isAllowed: boolean) {
    if (!isAllowed) return;
    session.on('pty', (accept, reject, info) => {
      const taken = this.#open(info);
      const respond: (() => void) | undefined = taken ? accept : reject;
      respond?.();
    });
    session.on('window-change', (_accept, _reject, info) => {
      const size = sizeOf(info);
      if (this.#opened === undefined) return;
      this.#opened = { ...this.#opened, ...size };
      this.#watcher?.resized(size);
    });
    session.on('signal', (accept: (() => void) | undefined, _reject, { name }) => {
      // Without a wish for a response there is none.
      accept?.();
      this.#watcher?.signalled(name);
    });
  }

  /** As the server is asked for one; undefined: the client has none. */
  get opened(): PseudoTtyOptions | undefined {
    return this.#opened;
  }

  watch(watcher: TerminalWatcher): void {
    this.#watcher = watcher;
  }

  #open(info: PseudoTtyInfo): boolean {
    // A client without a name for its terminal sends none.
    const term = info.term === '' ? 'dumb' : info.term;
    if (!namePattern.test(term)) return false;
    // Its modes are the server's: the library misreads them.
    this.#opened = { term, ...sizeOf(info) };
    return true;
  }
}

function sizeOf({ cols, rows, width, height }: WindowChangeInfo): WindowChangeInfo {
  const bounded = (count: number): number => Math.min(count, largestSize);
  return {
    cols: bounded(cols),
    rows: bounded(rows),
    width: bounded(width),
    height: bounded(height),
  };
}
