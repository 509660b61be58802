// One question of the cache about metadata: what comes goes to the client that asked, and beside it to the disk where it may be kept. What says
// that nothing changed, or that the registry is away, is the cache's own.

import { HeaderList } from '../../http/header-list.ts';
import { codingBeforeChunks } from '../../http/response-framing.ts';
import { validateResponse } from '../../http/response-validation.ts';
import type { ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import type { ComingFile } from './coming-file.ts';
import type { Freshness } from './metadata-freshness.ts';

/** Reads what comes: what is no list of versions is not kept. */
export interface MetadataCheck extends Disposable {
  onHead(status: number, rawHeaders: readonly string[]): void;
  onData(chunk: Uint8Array): void;
  isReadable(): boolean;
}

export interface MetadataFetchOptions {
  readonly receiver: ResponseReceiver;
  /** What is there of it. */
  readonly kept: Freshness | undefined;
  /** It may be used where the registry is away. */
  readonly mayBeStale: boolean;
  /** The registry says that it is away; what else it says of that, nobody reads. */
  readonly onAway: () => void;
  readonly freshnessOf: (headers: HeaderList) => Freshness | undefined;
  readonly file: ComingFile;
  readonly check: MetadataCheck;
}

type Stage =
  | { readonly kind: 'asked' }
  | { readonly kind: 'passing' }
  | {
      readonly kind: 'storing';
      readonly freshness: Freshness;
      readonly length: number | undefined;
      readonly isChunked: boolean;
    }
  | { readonly kind: 'unchanged'; readonly headers: HeaderList }
  | { readonly kind: 'away' };

/** RFC 5861 §4. */
const errors: ReadonlySet<number> = new Set([500, 502, 503, 504]);

export class MetadataFetch implements ResponseReceiver {
  readonly #options: MetadataFetchOptions;
  #stage: Stage = { kind: 'asked' };

  constructor(options: MetadataFetchOptions) {
    this.#options = options;
  }

  get stage(): Stage {
    return this.#stage;
  }

  onInformation(status: number, rawHeaders: readonly string[]): void {
    this.#options.receiver.onInformation(status, rawHeaders);
  }

  onHead(status: number, rawHeaders: readonly string[], endsAtHead = false): void {
    const { kept, mayBeStale, receiver } = this.#options;
    if (status === 304 && kept !== undefined) {
      this.#stage = { kind: 'unchanged', headers: ownFields(status, rawHeaders) };
      return;
    }
    if (errors.has(status) && mayBeStale) {
      this.#stage = { kind: 'away' };
      // Not within the turn of what reads the connection.
      if (!endsAtHead) queueMicrotask(() => this.#options.onAway());
      return;
    }
    this.#stage = this.#stageOf(status, rawHeaders, endsAtHead);
    receiver.onHead(status, rawHeaders, endsAtHead);
  }

  onData(chunk: Uint8Array, resume: () => void): boolean {
    const { receiver } = this.#options;
    if (this.#stage.kind === 'away') return false;
    if (this.#stage.kind === 'unchanged') return true;
    if (this.#stage.kind === 'storing') {
      this.#options.file.push(chunk);
      this.#checked(() => this.#options.check.onData(chunk));
    }
    return receiver.onData(chunk, resume);
  }

  onTrailers(rawTrailers: readonly string[]): void {
    if (this.#isForClient) this.#options.receiver.onTrailers(rawTrailers);
  }

  onComplete(): void {
    if (this.#isForClient) this.#options.receiver.onComplete?.();
  }

  /** Whether what came, once all has come, is whole and can be read. Where only the end of the connection ended it, nobody knows. */
  isWhole({ protocol }: ForwardResult): boolean {
    if (this.#stage.kind !== 'storing') return false;
    const { length, isChunked } = this.#stage;
    const isEnded =
      length === undefined ? isChunked || protocol === 'h2' : length === this.#options.file.bytes;
    return isEnded && this.#checked(() => this.#options.check.isReadable());
  }

  get #isForClient(): boolean {
    return this.#stage.kind === 'passing' || this.#stage.kind === 'storing';
  }

  #stageOf(status: number, rawHeaders: readonly string[], endsAtHead: boolean): Stage {
    const passing: Stage = { kind: 'passing' };
    if (status !== 200 || endsAtHead) return passing;
    const transfer = HeaderList.fromRaw(rawHeaders).all('transfer-encoding');
    const coding = codingBeforeChunks(transfer);
    if (coding !== undefined && coding !== 'none') return passing;
    const headers = ownFields(status, rawHeaders);
    const content = headers.all('content-encoding').join(',').trim().toLowerCase();
    if (content !== '' && content !== 'identity') return passing;
    const freshness = this.#options.freshnessOf(headers);
    if (freshness === undefined) return passing;
    const [said, ...others] = headers.all('content-length');
    if (others.length > 0 || (said !== undefined && !/^\d{1,15}$/.test(said))) return passing;
    const isRead = this.#checked(() => {
      this.#options.check.onHead(status, rawHeaders);
      return true;
    });
    if (!isRead) return passing;
    const length = said === undefined ? undefined : Number(said);
    return { kind: 'storing', freshness, length, isChunked: transfer.length > 0 };
  }

  /** What cannot be read, or has no room to be, is the client's all the same. */
  #checked<T>(run: () => T): T | false {
    try {
      return run();
    } catch {
      this.#options.file.giveUp();
      return false;
    }
  }
}

/** Without what is of the connection alone, which it may name itself. @throws ProxyError origin_malformed */
function ownFields(status: number, rawHeaders: readonly string[]): HeaderList {
  return validateResponse({ status, rawHeaders, requestMethod: 'GET' }).headers;
}
