// A PAC script on a thread of its own, in an interpreter that has no object of the host: a module of WebAssembly with a bounded memory. One
// question at a time; the sessions take turns, and whatever takes too long is given up with its thread.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { MessageChannel, Worker, isMainThread, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Asked, PacMessage, PacReading, PacResponse, PacThreadData } from './pac-messages.ts';
import { pacThreadMarker as marker, threadProgram } from '../../protocol/thread-program.ts';

export interface PacScriptOptions {
  readonly script: string;
  readonly limits: Limits;
  /** The IPv4 address of a name, as `dnsResolve` gives it; null: there is none. Never rejects. */
  readonly resolve: (host: string, principalId: string) => Promise<string | null>;
  readonly ownAddress: () => string;
}

interface Waiting {
  readonly asked: Asked;
  readonly settle: (reading: PacReading) => void;
  /** That its turn does not come in time. */
  readonly timer: NodeJS.Timeout;
}

const codeFile = 'quickjs.wasm';
const over = { kind: 'failed', reason: 'the gateway ends' } as const;

export class PacScript implements Disposable {
  readonly #options: PacScriptOptions;
  /** By owner, in the order of their turns; none is empty. */
  readonly #waiting = new Map<string, Waiting[]>();
  #code: Promise<WebAssembly.Module> | undefined;
  #thread: { readonly worker: Worker; readonly port: MessagePort; readonly signal: Int32Array } | undefined;
  #isBusy = false;
  #isClosed = false;
  #stop: (() => void) | undefined;

  constructor(options: PacScriptOptions) {
    this.#options = options;
  }

  /**
   * What the script says of the host; what it cannot say is a reading too. A dial that is given up leaves its question here, so questions have
   * bounds of their own. @throws ProxyError limit_exceeded, timeout
   */
  async find(principalId: string, asked: Asked): Promise<PacReading> {
    if (this.#isClosed) return over;
    const { dialsPendingMax, connectTimeoutMs } = this.#options.limits;
    const { promise, resolve, reject } = Promise.withResolvers<PacReading>();
    const queue = this.#waiting.get(principalId) ?? [];
    if (queue.length >= dialsPendingMax)
      throw new ProxyError(
        'limit_exceeded',
        `More than ${dialsPendingMax} connections wait for the proxy script (dialsPendingMax).`,
        { limit: 'dialsPendingMax' },
      );
    const timer = setTimeout(() => {
      this.#forget(principalId, waiting);
      const message = `The proxy script has no time for ${asked.host} within ${connectTimeoutMs} ms (connectTimeoutMs).`;
      reject(new ProxyError('timeout', message, { limit: 'connectTimeoutMs' }));
    }, connectTimeoutMs);
    const waiting: Waiting = { asked, settle: resolve, timer };
    queue.push(waiting);
    this.#waiting.set(principalId, queue);
    void this.#work();
    return await promise;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const { settle, timer } of [...this.#waiting.values()].flat()) {
      clearTimeout(timer);
      settle(over);
    }
    this.#waiting.clear();
    this.#stop?.();
    this.#end();
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { principalId, waiting } = next;
      const reading = await this.#ask(principalId, waiting.asked).catch((error: unknown): PacReading => ({
        kind: 'failed',
        reason: asProxyError(error).message,
      }));
      // A thread that failed once is not asked again: nobody knows in which state the script is.
      if (reading.kind === 'failed') this.#end();
      waiting.settle(reading);
    }
    this.#isBusy = false;
  }

  /** Of the owner that waits longest for its turn. */
  #next(): { readonly principalId: string; readonly waiting: Waiting } | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [principalId, queue] = first;
    const waiting = queue.shift();
    clearTimeout(waiting?.timer);
    this.#waiting.delete(principalId);
    if (queue.length > 0) this.#waiting.set(principalId, queue);
    return waiting === undefined ? undefined : { principalId, waiting };
  }

  #forget(principalId: string, waiting: Waiting): void {
    const rest = this.#waiting.get(principalId)?.filter((one) => one !== waiting) ?? [];
    // In place: the order of owners is that of their turns.
    if (rest.length > 0) this.#waiting.set(principalId, rest);
    else this.#waiting.delete(principalId);
  }

  async #ask(principalId: string, asked: Asked): Promise<PacReading> {
    const { limits, resolve: resolveName, ownAddress } = this.#options;
    this.#code ??= interpreterCode();
    this.#code.catch(() => {
      // Another question tries again.
      this.#code = undefined;
    });
    const code = await this.#code;
    if (this.#isClosed) return over;
    const { worker, port, signal } = (this.#thread ??= startThread(code, this.#options.script));
    const { promise, resolve } = Promise.withResolvers<PacReading>();
    let lookups = 0;
    const onMessage = (message: PacResponse): void => {
      if ('reading' in message) return resolve(message.reading);
      lookups += 1;
      if (lookups > defaultLimits.pacLookupsMax)
        return resolve({ kind: 'failed', reason: 'it asks for too many names (pacLookupsMax)' });
      void resolveName(message.resolve, principalId).then((address) => {
        port.postMessage({ address } satisfies PacMessage);
        Atomics.store(signal, 0, 1);
        Atomics.notify(signal, 0);
      });
    };
    const onExit = (): void =>
      resolve({ kind: 'failed', reason: 'its thread ended, maybe for want of memory' });
    port.on('message', onMessage);
    worker.once('exit', onExit);
    const timer = setTimeout(
      () => resolve({ kind: 'failed', reason: 'it takes too long (pacTimeoutMs)' }),
      limits.pacTimeoutMs,
    );
    this.#stop = () => resolve(over);
    port.postMessage({ ask: asked, ownAddress: ownAddress() } satisfies PacMessage);
    const reading = await promise;
    clearTimeout(timer);
    this.#stop = undefined;
    port.off('message', onMessage);
    worker.off('exit', onExit);
    return reading;
  }

  #end(): void {
    this.#thread?.port.close();
    void this.#thread?.worker.terminate();
    this.#thread = undefined;
  }
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
async function interpreterCode(): Promise<WebAssembly.Module> {
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
