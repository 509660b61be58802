// One end of the channel between supervisor and worker: words that are told, and questions whose response is waited for, within a bound.

import type { Socket } from 'node:net';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { QuestionName, Questions } from './worker-messages.ts';

/** The channel itself, which a process has to the one that started it, and to each that it started. */
export interface ChannelPort {
  /**
   * Never throws; what cannot be sent any more is lost with the channel. The other end gets a socket of its own: this one is the
   * caller's to end once it is there.
   */
  send(message: unknown, socket?: Socket): void;
  onMessage(listener: (message: unknown, socket: Socket | undefined) => void): void;
  /** The other end is gone. May be told more than once. */
  onClosed(listener: () => void): void;
}

type Envelope<Word> =
  | { readonly word: Word }
  | { readonly question: number; readonly name: QuestionName; readonly asked: unknown }
  | { readonly response: number; readonly told: unknown };

/** Says what comes of a question. One that throws, or has no response, is not responded to. */
export type Responders = {
  readonly [Name in QuestionName]?: (
    asked: Questions[Name]['asked'],
  ) => Questions[Name]['told'] | Promise<Questions[Name]['told']>;
};

export interface WorkerChannelOptions<Heard> {
  readonly port: ChannelPort;
  readonly onWord: (word: Heard, socket: Socket | undefined) => void;
  readonly responders?: Responders;
}

export class WorkerChannel<Told, Heard> {
  readonly #port: ChannelPort;
  readonly #options: WorkerChannelOptions<Heard>;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  #questions = 0;
  #isClosed = false;

  constructor(options: WorkerChannelOptions<Heard>) {
    this.#options = options;
    this.#port = options.port;
    // Both ends are this program: what comes is what the other end's types say.
    this.#port.onMessage((message, socket) => this.#receive(message as Envelope<Heard>, socket));
    this.#port.onClosed(() => this.#close());
  }

  tell(word: Told, socket?: Socket): void {
    this.#send({ word }, socket);
  }

  /** Rejects with ProxyError `shutting_down` if the other end is gone, or says nothing within the time. */
  async ask<Name extends QuestionName>(
    name: Name,
    asked: Questions[Name]['asked'],
    withinMs: number = defaultLimits.workerReplyTimeoutMs,
  ): Promise<Questions[Name]['told']> {
    if (this.#isClosed) throw gone();
    this.#questions += 1;
    const question = this.#questions;
    const pending = Promise.withResolvers<unknown>();
    this.#pending.set(question, pending);
    const timer = setTimeout(() => pending.reject(gone()), withinMs);
    this.#send({ question, name, asked });
    try {
      // The other end responds to this very question.
      return (await pending.promise) as Questions[Name]['told'];
    } finally {
      clearTimeout(timer);
      this.#pending.delete(question);
    }
  }

  #receive(message: Envelope<Heard>, socket: Socket | undefined): void {
    if ('word' in message) this.#options.onWord(message.word, socket);
    else if ('response' in message) this.#pending.get(message.response)?.resolve(message.told);
    else void this.#respond(message.question, message.name, message.asked);
  }

  async #respond(question: number, name: QuestionName, asked: unknown): Promise<void> {
    // The name belongs to the question, and so does what is asked.
    const respond = this.#options.responders?.[name] as ((asked: unknown) => unknown) | undefined;
    try {
      const told = await respond?.(asked);
      this.#send({ response: question, told });
    } catch {
      // Whoever asked has its deadline.
    }
  }

  #send(envelope: Envelope<Told>, socket?: Socket): void {
    if (this.#isClosed) socket?.destroy();
    else this.#port.send(envelope, socket);
  }

  #close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#pending.values()) reject(gone());
  }
}

function gone(): ProxyError {
  return new ProxyError('shutting_down', 'another process of the gateway does not respond; try again');
}
