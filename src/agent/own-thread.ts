// A session in a thread of its own, which serves also while the caller's thread is blocked, as by execFileSync. It is one process: what
// closes it to others closes both, and is done before the thread starts.

import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import type { ErrorCode } from '../protocol/error-table.ts';
import type { Posture } from '../protocol/session-messages.ts';
import type { Logger } from '../system/logger.ts';
import { hardenProcess } from './session-steps.ts';
import type { ToldRefusals } from './uplink/session-refusals.ts';
import type { CloseOptions } from './uplink/tunnel-client.ts';
import { type OpenSession, openSession, type SessionOptions } from './session.ts';

/** What of a session can be told to another thread. */
type SessionFacts = Omit<OpenSession, 'ended' | 'close' | 'refusals'>;

/** What of the options can be given to another thread; the rest stays with the caller. */
type ThreadOptions = Omit<SessionOptions, 'jail' | 'entrances' | 'logger' | 'signal'> & {
  readonly posture: Posture;
};

interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

type Word =
  | { readonly tell: 'info' | 'warn'; readonly line: string }
  | { readonly opened: SessionFacts }
  | { readonly failed: Fault }
  | { readonly ended: Fault | undefined }
  | { readonly refusals: ToldRefusals | undefined }
  | { readonly notTold: Fault };

/** To the thread: cancel the start, tell what was refused, or end the session. */
type Wish = { readonly cancel: true } | { readonly refusals: true } | { readonly close: CloseOptions };

/** Makes this file's own threads known to it. */
const marker = 'upstreamproxySession';

/** As `openSession`. Throws config_invalid for what cannot be shared with a thread. */
export async function openSessionInThread(options: SessionOptions): Promise<OpenSession> {
  if (options.jail !== undefined || options.entrances !== undefined)
    throw new ProxyError('config_invalid', 'ownThread does not go with jail or entrances');
  // A bundler that moved this code elsewhere would make the thread run the caller's whole program.
  if (!/\/own-thread\.[jt]s$/.test(import.meta.url))
    throw new ProxyError(
      'config_invalid',
      'ownThread needs the package as it was installed, not in a bundle',
    );
  if (options.signal?.aborted === true) throw new ProxyError('cancelled', 'the start was cancelled');
  const hardening = hardenProcess(options);
  try {
    return await new SessionThread(options, hardening.posture, () => hardening[Symbol.dispose]()).opened;
  } catch (error) {
    hardening[Symbol.dispose]();
    throw error;
  }
}

class SessionThread {
  readonly opened: Promise<OpenSession>;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #ended = Promise.withResolvers<ProxyError | undefined>();
  readonly #logger: Logger;
  /** Those who wait for what was refused, in the order in which they asked. */
  readonly #asked: PromiseWithResolvers<ToldRefusals | undefined>[] = [];
  #isClosing = false;

  constructor(options: SessionOptions, posture: Posture, onExit: () => void) {
    const { logger, signal, jail: _, entrances: __, ...rest } = options;
    this.#logger = logger;
    const input: ThreadOptions = {
      ...rest,
      environment: { ...options.environment },
      baseEnvironment: { ...options.baseEnvironment },
      limits: { ...options.limits },
      posture,
    };
    // The thread is this very file. Options of the caller's runtime, such as modules to load first, are not for it.
    this.#worker = new Worker(new URL(import.meta.url), {
      workerData: { [marker]: input },
      execArgv: [],
    });
    const { promise, resolve, reject } = Promise.withResolvers<OpenSession>();
    this.opened = promise;
    const cancel = (): void => this.#wish({ cancel: true });
    signal?.addEventListener('abort', cancel, { once: true });
    this.#worker.on('message', (word: Word) => {
      if ('tell' in word) this.#logger[word.tell](word.line);
      else if ('opened' in word) resolve(this.#session(word.opened));
      else if ('failed' in word) reject(faultOf(word.failed));
      else if ('refusals' in word) this.#asked.shift()?.resolve(word.refusals);
      else if ('notTold' in word) this.#asked.shift()?.reject(faultOf(word.notTold));
      else this.#ended.resolve(word.ended && faultOf(word.ended));
    });
    const lost = (cause?: unknown): void => {
      const fault = threadEnded(cause);
      reject(fault);
      for (const one of this.#asked.splice(0)) one.reject(fault);
      this.#ended.resolve(this.#isClosing ? undefined : fault);
    };
    this.#worker.on('error', lost);
    this.#exited = new Promise((exited) => {
      this.#worker.once('exit', () => {
        signal?.removeEventListener('abort', cancel);
        lost();
        onExit();
        exited();
      });
    });
  }

  #session(facts: SessionFacts): OpenSession {
    const close = async (options: CloseOptions = {}): Promise<void> => {
      this.#isClosing = true;
      this.#wish({ close: options });
      await this.#exited;
    };
    const refusals = (): Promise<ToldRefusals | undefined> => {
      if (this.#worker.threadId < 0) return Promise.reject(threadEnded());
      const asked = Promise.withResolvers<ToldRefusals | undefined>();
      this.#asked.push(asked);
      this.#wish({ refusals: true });
      return asked.promise;
    };
    return { ...facts, ended: this.#ended.promise, refusals, close };
  }

  #wish(wish: Wish): void {
    this.#worker.postMessage(wish);
  }
}

function threadEnded(cause?: unknown): ProxyError {
  return new ProxyError('internal', 'the thread of the session has ended', { cause });
}

function faultOf({ code, message }: Fault): ProxyError {
  return new ProxyError(code, message);
}

function told(error: unknown): Fault {
  const { code, message } = asProxyError(error);
  return { code, message };
}

/** The thread: it ends when nothing of the session is left. */
async function runThread(port: MessagePort, options: ThreadOptions): Promise<void> {
  const say = (word: Word): void => port.postMessage(word);
  const logger: Logger = {
    info: (line) => say({ tell: 'info', line }),
    warn: (line) => say({ tell: 'warn', line }),
  };
  const cancelled = new AbortController();
  let session: OpenSession | undefined;
  let inOrder = Promise.resolve();
  port.on('message', (wish: Wish) => {
    if ('cancel' in wish) cancelled.abort();
    else if ('refusals' in wish) inOrder = inOrder.then(() => tellRefusals(session, say));
    else void session?.close(wish.close).finally(() => port.close());
  });
  try {
    session = await openSession({ ...options, logger, signal: cancelled.signal });
    const { id, environment, port: relayPort, posture, files, displaced } = session;
    const { capturePorts, loopbackCapture, tokenErased } = session;
    const facts = { id, environment, port: relayPort, posture, files, displaced };
    say({ opened: { ...facts, capturePorts, loopbackCapture, tokenErased } });
    const error = await session.ended;
    say({ ended: error && told(error) });
  } catch (error) {
    say({ failed: told(error) });
    port.close();
  }
}

async function tellRefusals(session: OpenSession | undefined, say: (word: Word) => void): Promise<void> {
  try {
    say({ refusals: await session?.refusals() });
  } catch (error) {
    say({ notTold: told(error) });
  }
}

// The module is its own thread's entry, so that its name need not be known twice.
if (
  !isMainThread &&
  parentPort !== null &&
  typeof workerData === 'object' &&
  workerData !== null &&
  marker in workerData
) {
  // Made above, by the one who started the thread.
  void runThread(parentPort, workerData[marker] as ThreadOptions);
}
