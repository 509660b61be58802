// What a shell shows, recorded as it does. Each piece is on the disk before its promise resolves, so that who waits for it lets nothing pass
// that nobody could look at later.

import type { FileHandle } from 'node:fs/promises';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SealingKey } from './day-keys.ts';
import {
  eventLines,
  headLine,
  type RecordedKind,
  sealPiece,
  sizeLine,
  type TerminalSize,
} from './recording-form.ts';
import { WholeCharacters } from './whole-characters.ts';

export interface RecordingOptions {
  readonly file: Pick<FileHandle, 'appendFile' | 'close'>;
  readonly key: SealingKey;
  /** Of the event that it is beside. */
  readonly id: string;
  readonly clock: () => number;
  /** Takes room for so many octets. @throws ProxyError limit_exceeded */
  readonly charge: (bytes: number) => void;
}

export class Recording implements AsyncDisposable {
  readonly #options: RecordingOptions;
  readonly #startedMs: number;
  readonly #characters: Readonly<Record<RecordedKind, WholeCharacters>> = {
    output: new WholeCharacters(),
    error: new WholeCharacters(),
    input: new WholeCharacters(),
  };
  /** What no line says yet. */
  #resized: TerminalSize | undefined;
  #pieces = 0;
  #bytes = 0;
  #atMs = 0;
  #last: Promise<void> = Promise.resolve();
  #fault: ProxyError | undefined;
  #ending: Promise<void> | undefined;

  /** @throws ProxyError where not even its head can be written */
  static async begin(options: RecordingOptions, size: TerminalSize): Promise<Recording> {
    const recording = new Recording(options);
    try {
      await recording.#append(headLine(size, recording.#startedMs), false);
      return recording;
    } catch (error) {
      await options.file.close();
      throw error;
    }
  }

  private constructor(options: RecordingOptions) {
    this.#options = options;
    this.#startedMs = options.clock();
  }

  /** Octets of it on the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Stands before what is recorded next: a terminal that changes its size again and again makes nothing grow. */
  resized(size: TerminalSize): void {
    this.#resized = size;
  }

  /** @throws ProxyError audit_unavailable, limit_exceeded; once it did, always */
  async add(kind: RecordedKind, chunk: Uint8Array): Promise<void> {
    // A character that is cut off stands with its rest.
    await this.#append(this.#lines(kind, this.#characters[kind].take(chunk)), false);
  }

  /** Says that nothing is missing, and closes it. Never throws: without its last piece it looks cut off, as it is. */
  async end(): Promise<void> {
    await (this.#ending ??= this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #close(): Promise<void> {
    const rest = (['input', 'output', 'error'] as const).map((kind) =>
      this.#lines(kind, this.#characters[kind].end()),
    );
    await this.#append(rest.join(''), true).catch(() => undefined);
    await this.#options.file.close().catch(() => undefined);
  }

  #lines(kind: RecordedKind, octets: Buffer): string {
    if (octets.length === 0) return '';
    // A clock may be set back, a recording goes on.
    this.#atMs = Math.max(this.#atMs, this.#options.clock() - this.#startedMs);
    const size = this.#resized;
    this.#resized = undefined;
    return `${size === undefined ? '' : sizeLine(this.#atMs, size)}${eventLines(this.#atMs, kind, octets)}`;
  }

  /** One behind the other, in the order in which they came. */
  async #append(text: string, isLast: boolean): Promise<void> {
    const written = this.#last.then(async () => {
      if (this.#fault !== undefined) throw this.#fault;
      if (text === '' && !isLast) return;
      try {
        await this.#write(text, isLast);
      } catch (error) {
        this.#fault = this.#faultOf(error);
        throw this.#fault;
      }
    });
    this.#last = written.catch(() => undefined);
    await written;
  }

  async #write(text: string, isLast: boolean): Promise<void> {
    const { file, key, id, charge } = this.#options;
    const piece = sealPiece(key.reveal(), id, { number: this.#pieces, isLast, text });
    const { capturedRecordingBytesMax: max } = defaultLimits;
    // The last one is small, and says that all is there.
    if (!isLast && this.#bytes + piece.length > max)
      throw new ProxyError(
        'limit_exceeded',
        `the recording of this shell has reached its bound of ${max} bytes (capturedRecordingBytesMax)`,
        { limit: 'capturedRecordingBytesMax', next: 'open another one' },
      );
    if (!isLast) charge(piece.length);
    await file.appendFile(piece);
    this.#pieces += 1;
    this.#bytes += piece.length;
  }

  #faultOf(error: unknown): ProxyError {
    if (error instanceof ProxyError) return error;
    const detail = `the recording of ${this.#options.id} cannot be written: ${faultReason(error)}`;
    return new ProxyError('audit_unavailable', 'the recording of this shell cannot be written', {
      cause: error,
      operatorDetail: detail,
      next: 'a shell is open as long as it is recorded; ask the operator of the gateway',
    });
  }
}
