// Statements are parsed on a thread of its own, one at a time: the sessions take turns, and one that takes too long is given up with its
// thread.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { defaultLimits, type Limits } from '../../../../protocol/limits.ts';
import { statementThreadMarker as marker, threadProgram } from '../../../../protocol/thread-program.ts';
import type { StatementReading } from './parse-statement.ts';

interface Waiting {
  readonly statement: Uint8Array;
  readonly settle: (reading: StatementReading) => void;
}

/** As scripts/release/single-file.ts names it. */
const codeFile = 'libpg-query.wasm';

const late = {
  kind: 'unreadable',
  reason: 'to read it takes too long (databaseStatementTimeoutMs)',
} as const;
const over = { kind: 'unreadable', reason: 'it cannot be read now' } as const;

export class StatementReader {
  readonly #limits: Limits;
  /** By owner of sessions, in the order of their turns: who makes many has no more of them. A connection has one statement here at most. */
  readonly #waiting = new Map<string, Waiting[]>();
  #code: Promise<WebAssembly.Module> | undefined;
  #worker: Worker | undefined;
  #isBusy = false;
  #isClosed = false;
  #stop: (() => void) | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Never throws: what cannot be read is a reading too. */
  async read(owner: string, statement: Uint8Array): Promise<StatementReading> {
    if (this.#isClosed) return over;
    const { promise, resolve } = Promise.withResolvers<StatementReading>();
    const queue = this.#waiting.get(owner) ?? [];
    queue.push({ statement, settle: resolve });
    this.#waiting.set(owner, queue);
    void this.#work();
    return await promise;
  }

  close(): void {
    this.#isClosed = true;
    for (const queue of this.#waiting.values()) for (const { settle } of queue) settle(over);
    this.#waiting.clear();
    this.#stop?.();
    this.#end();
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#next(); next !== undefined; next = this.#next())
      next.settle(await this.#parse(next.statement).catch(() => over));
    this.#isBusy = false;
  }

  /** Of the owner that waits longest for its turn. */
  #next(): Waiting | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [owner, queue] = first;
    const next = queue.shift();
    this.#waiting.delete(owner);
    if (queue.length > 0) this.#waiting.set(owner, queue);
    return next;
  }

  async #parse(statement: Uint8Array): Promise<StatementReading> {
    const code = await this.#codeOnce();
    if (this.#isClosed) return over;
    const worker = (this.#worker ??= startWorker(code));
    const { promise, resolve } = Promise.withResolvers<StatementReading>();
    const giveUp = (reading: StatementReading): void => {
      // Nothing says what it is still at.
      this.#end();
      resolve(reading);
    };
    const failed = (): void => giveUp({ kind: 'unreadable', reason: 'it takes more memory than it may' });
    // The thread sends nothing else.
    worker.once('message', resolve as (reading: unknown) => void);
    worker.once('exit', failed);
    const timer = setTimeout(() => giveUp(late), this.#limits.databaseStatementTimeoutMs);
    this.#stop = () => giveUp(over);
    worker.postMessage(statement);
    const reading = await promise;
    clearTimeout(timer);
    this.#stop = undefined;
    worker.removeAllListeners('message');
    worker.off('exit', failed);
    return reading;
  }

  #codeOnce(): Promise<WebAssembly.Module> {
    this.#code ??= parserCode();
    // Another statement tries again.
    this.#code.catch(() => {
      this.#code = undefined;
    });
    return this.#code;
  }

  #end(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }
}

function startWorker(code: WebAssembly.Module): Worker {
  const { program, isText } = threadProgram(import.meta.url);
  const worker = new Worker(isText ? program : new URL(program), {
    eval: isText,
    workerData: { [marker]: code },
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: defaultLimits.databaseStatementMemoryBytesMax / 1024 / 1024 },
  });
  worker.unref();
  worker.on('error', () => {
    // Its end, which follows, refuses what it had.
  });
  return worker;
}

/** The single file has it in itself. */
export async function parserCode(): Promise<WebAssembly.Module> {
  const inside = process.versions['bun'] === undefined ? process.getBuiltinModule('node:sea') : undefined;
  const code =
    inside?.isSea() === true
      ? new Uint8Array(inside.getRawAsset(codeFile))
      : await readFile(createRequire(import.meta.url).resolve(`libpg-query/wasm/${codeFile}`));
  return await WebAssembly.compile(code);
}

async function serve(code: WebAssembly.Module): Promise<void> {
  const port = parentPort;
  const { StatementParser } = await import('./parse-statement.ts');
  const parser = new StatementParser(code);
  port?.on('message', (statement: Uint8Array) => {
    void parser.parse(statement).then((reading) => {
      port.postMessage(reading);
    });
  });
}

// The module is its own thread's entry, so that its name need not be known twice.
if (!isMainThread && typeof workerData === 'object' && workerData !== null && marker in workerData) {
  // Given by `startWorker`, and by nobody else.
  void serve(workerData[marker] as WebAssembly.Module);
}
