// One thread of a PAC script: an interpreter that has no object of the host, a module of WebAssembly with a bounded memory. One question at a
// time, and whatever takes too long is given up with the thread.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { MessageChannel, Worker, isMainThread, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { pacThreadMarker as marker, threadProgram } from '../../protocol/thread-program.ts';
import type { Asked, PacMessage, PacReading, PacResponse, PacThreadData } from './pac-messages.ts';

export interface PacLaneOptions {
  /** The interpreter. */
  readonly code: () => Promise<WebAssembly.Module>;
  readonly script: string;
  readonly limits: Limits;
  /** The IPv4 address of a name, as `dnsResolve` gives it; null: there is none. Never rejects. */
  readonly resolve: (host: string, principalId: string) => Promise<string | null>;
  readonly ownAddress: () => string;
}

const codeFile = 'quickjs.wasm';
/** What is read of a script whose gateway ends. */
export const over = { kind: 'failed', reason: 'the gateway ends' } as const;

export class PacLane implements Disposable {
  readonly #options: PacLaneOptions;
  #thread: { readonly worker: Worker; readonly port: MessagePort; readonly signal: Int32Array } | undefined;
  #isClosed = false;
  #stop: (() => void) | undefined;

  constructor(options: PacLaneOptions) {
    this.#options = options;
  }

  /** One question at a time; `spentMs` is without the begin of the thread. Never rejects. */
  async ask(principalId: string, asked: Asked): Promise<PacTold> {
    const told = await this.#ask(principalId, asked).catch((error: unknown) =>
      failed(asProxyError(error).message),
    );
    // A thread that failed once is not asked again: nobody knows in which state the script is.
    if (told.reading.kind === 'failed') this.#end();
    return told;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#stop?.();
    this.#end();
  }

  async #ask(principalId: string, asked: Asked): Promise<PacTold> {
    const { limits, resolve: resolveName, ownAddress, code } = this.#options;
    const module = await code();
    if (this.#isClosed) return { reading: over, spentMs: 0 };
    const isNew = this.#thread === undefined;
    const { worker, port, signal } = (this.#thread ??= startThread(module, this.#options.script));
    const { promise, resolve } = Promise.withResolvers<PacTold>();
    let lookups = 0;
    const late = (): void => resolve(failed('it takes too long (pacTimeoutMs)'));
    // A machine that is slow to begin a thread is no fault of the script.
    let timer = setTimeout(late, isNew ? defaultLimits.pacStartTimeoutMs : limits.pacTimeoutMs);
    const onMessage = (message: PacResponse): void => {
      if ('reading' in message) return resolve(message);
      if ('ready' in message) {
        clearTimeout(timer);
        timer = setTimeout(late, limits.pacTimeoutMs);
        return;
      }
      lookups += 1;
      if (lookups > defaultLimits.pacLookupsMax)
        return resolve(failed('it asks for too many names (pacLookupsMax)'));
      void resolveName(message.resolve, principalId).then((address) => {
        port.postMessage({ address } satisfies PacMessage);
        Atomics.store(signal, 0, 1);
        Atomics.notify(signal, 0);
      });
    };
    const onExit = (): void => resolve(failed('its thread ended, maybe for want of memory'));
    port.on('message', onMessage);
    worker.once('exit', onExit);
    this.#stop = () => resolve({ reading: over, spentMs: 0 });
    port.postMessage({ ask: asked, ownAddress: ownAddress() } satisfies PacMessage);
    const told = await promise;
    clearTimeout(timer);
    this.#stop = undefined;
    port.off('message', onMessage);
    worker.off('exit', onExit);
    return told;
  }

  #end(): void {
    this.#thread?.port.close();
    void this.#thread?.worker.terminate();
    this.#thread = undefined;
  }
}

export interface PacTold {
  readonly reading: PacReading;
  readonly spentMs: number;
}

function failed(reason: string): PacTold {
  return { reading: { kind: 'failed', reason }, spentMs: 0 };
}

function startThread(
  code: WebAssembly.Module,
  script: string,
): { readonly worker: Worker; readonly port: MessagePort; readonly signal: Int32Array } {
  const { program, isText } = threadProgram(import.meta.url);
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const data: PacThreadData = { code, script, port: port2, signal };
  const worker = new Worker(isText ? program : new URL(program), {
    eval: isText,
    workerData: { [marker]: data },
    transferList: [port2],
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: defaultLimits.pacMemoryBytesMax / 1024 / 1024 },
  });
  worker.unref();
  port1.unref();
  worker.on('error', () => {
    // Its end, which follows, refuses what it had.
  });
  return { worker, port: port1, signal };
}

/** The single file has it in itself. */
export async function interpreterCode(): Promise<WebAssembly.Module> {
  const inside = process.versions['bun'] === undefined ? process.getBuiltinModule('node:sea') : undefined;
  const code =
    inside?.isSea() === true
      ? new Uint8Array(inside.getRawAsset(codeFile))
      : await readFile(createRequire(import.meta.url).resolve(`quickjs-wasi/${codeFile}`));
  return await WebAssembly.compile(code);
}

// The module is its own thread's entry, so that its name need not be known twice.
if (!isMainThread && typeof workerData === 'object' && workerData !== null && marker in workerData) {
  // Given by `startThread`, and by nobody else.
  const data = workerData[marker] as PacThreadData;
  void import('./pac-thread.ts').then(({ servePac }) => servePac(data));
}
