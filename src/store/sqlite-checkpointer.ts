// Moves the write-ahead log into the database file on a thread of its own: the fsyncs of a checkpoint take
// 10 ms and more, which on the main thread every stream would feel every few thousand audit events.

import { DatabaseSync } from 'node:sqlite';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const intervalMs = 1000;
/** The thread ends between two checkpoints; on a stuck disk it is not waited for. */
const stopTimeoutMs = 5000;
/** Marks the data of our own threads, so that this module does nothing in those of others. */
const marker = 'upstreamproxy-checkpointer';

/** A running thread. Closing it twice is harmless. */
export interface Checkpointer {
  close(): Promise<void>;
}

/**
 * Starts checkpoints of the database file. A thread that fails ends quietly: then the connections checkpoint by
 * themselves when their log is long, as they would without it.
 */
export function startCheckpointer(path: string): Checkpointer {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { [marker]: path },
    execArgv: [],
    env: {},
  });
  worker.unref();
  worker.on('error', () => {
    // Said in the contract: the connections go on without it.
  });
  const { promise: exited, resolve } = Promise.withResolvers<void>();
  worker.once('exit', () => resolve());
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    worker.ref();
    worker.postMessage('stop');
    const timer = setTimeout(() => void worker.terminate(), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  };
  return { close: () => (closing ??= close()) };
}

function runThread(path: string): void {
  // Its own checkpoints alone: a busy database is left for the next time.
  const database = new DatabaseSync(path, { timeout: 0 });
  const timer = setInterval(() => database.exec('PRAGMA wal_checkpoint(PASSIVE)'), intervalMs);
  parentPort?.once('message', () => {
    clearInterval(timer);
    database.close();
  });
}

// The module is its own thread's entry, so that its name need not be known twice.
if (!isMainThread && typeof workerData === 'object' && workerData !== null && marker in workerData) {
  runThread(String(workerData[marker]));
}
