// What a rule has kept of the bodies of one exchange: copies of their beginnings, of the request as the workload sent it. What the gateway
// put on is taken out of both, and what the rule leaves out goes, before anything is kept.

import { hostname } from 'node:os';
import { type Readable, Transform } from 'node:stream';
import type { HeaderList } from '../../http/header-list.ts';
import type { AllowDecision, Principal, RuleCapture } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';
import type { CapturedBodies } from '../captured/captured-bodies.ts';
import type { CapturedBody } from '../captured/captured-exchange.ts';
import { redactBody } from '../captured/redact-body.ts';
import { throughTransform } from '../credentials/request/body-rewrite.ts';
import { ResponseScrubber, type SearchedValues, windowBytes } from '../scrub/response-scrubber.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { ResponseClient } from './response-client.ts';

interface BodyCaptureOptions {
  readonly capture: RuleCapture;
  readonly bodies: CapturedBodies;
  readonly held: HeldOctets;
  readonly sessionId: string;
  readonly searched: SearchedValues | undefined;
  /** Fields of the request as the workload sent them. */
  readonly headers: HeaderList;
}

interface ToCapture {
  readonly decision: Pick<AllowDecision, 'capture'>;
  readonly injected: { readonly searched: SearchedValues | undefined };
  readonly validated: { readonly head: { readonly headers: HeaderList } };
}

/** Undefined where no rule asks for it. */
export function captureOf(
  { decision: { capture }, injected: { searched }, validated }: ToCapture,
  { sessionId }: Principal,
  { captured: bodies, held }: { readonly captured?: CapturedBodies; readonly held: HeldOctets },
): BodyCapture | undefined {
  if (capture === undefined || bodies === undefined) return undefined;
  const { headers } = validated.head;
  return new BodyCapture({ capture, bodies, held, sessionId, searched, headers });
}

/** Room is taken in steps of this. */
const stepBytes = 16 * 1024;

export class BodyCapture implements Disposable {
  readonly #options: BodyCaptureOptions;
  readonly #request: BodyCopy;
  readonly #response: BodyCopy;
  #responseFields: HeaderList | undefined;

  constructor(options: BodyCaptureOptions) {
    this.#options = options;
    const { capture, searched } = options;
    // What begins within the bound may end behind it: so much more is looked at.
    const spare = searched === undefined ? 0 : windowBytes(searched.tables);
    const copy = (): BodyCopy => new BodyCopy(capture.bytesMax + spare, options);
    this.#request = copy();
    this.#response = copy();
  }

  /** The body with a copy taken of what passes. */
  ofRequest(body: Readable): Readable {
    const copy = this.#request;
    return throughTransform(
      body,
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          copy.add(chunk);
          done(null, chunk);
        },
        flush(done) {
          copy.end();
          done();
        },
      }),
    );
  }

  /** The same of what goes to the client. */
  ofResponse(client: ResponseClient): ResponseClient {
    return {
      signal: client.signal,
      sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
      sendHead: (head, endsAtHead) => {
        this.#responseFields = head.headers;
        client.sendHead(head, endsAtHead);
      },
      sendData: (chunk) => {
        // One that is searched is copied before, so that what is kept is searched in one piece.
        if (this.#options.searched === undefined) this.#response.add(chunk);
        return client.sendData(chunk);
      },
      onDrain: (listener) => client.onDrain(listener),
      sendEnd: (rawTrailers) => {
        this.#response.end();
        client.sendEnd(rawTrailers);
      },
    };
  }

  /** Of a response that is searched: what comes before it is. */
  readonly onText = (chunk: Uint8Array): void => this.#response.add(chunk);

  /** Hands over what there is; once. */
  keep(record: ExchangeRecord): void {
    const { bodies, sessionId, headers } = this.#options;
    const request = this.#kept(this.#request, headers);
    const response = this.#kept(this.#response, this.#responseFields);
    if (request === undefined && response === undefined) return;
    const isTaken = bodies.put(record.eventId, sessionId, { request, response });
    record.captured(
      isTaken
        ? { request: request?.bytes.length, response: response?.bytes.length, machine: hostname() }
        : { dropped: true },
    );
  }

  #kept(copy: BodyCopy, fields: HeaderList | undefined): CapturedBody | undefined {
    const { capture, searched } = this.#options;
    const whole = copy.bytes;
    if (whole.length === 0) return undefined;
    const isWhole = copy.isWhole && whole.length <= capture.bytesMax;
    const clean = searched === undefined ? whole : scrubbed(whole, searched, copy.isWhole);
    const bytes = clean.subarray(0, capture.bytesMax);
    const type = fields?.all('content-type').join(', ') || undefined;
    const coding = fields?.all('content-encoding').join(', ') || undefined;
    const redacted = redactBody({ bytes, type, coding }, capture.redact);
    const said = { type: shortened(type), coding: shortened(coding), isWhole };
    return redacted === undefined
      ? { ...said, bytes: new Uint8Array(), isWhole: false, redacted: 0, isWithheld: true }
      : { ...said, bytes: redacted.bytes, redacted: redacted.count };
  }

  [Symbol.dispose](): void {
    this.#request[Symbol.dispose]();
    this.#response[Symbol.dispose]();
  }
}

/** A field is bounded as the head is; for people the beginning will do. */
const fieldCharacters = 200;

function shortened(text: string | undefined): string | undefined {
  return text?.slice(0, fieldCharacters);
}

/** In one piece, whatever a rule lets go early. What stands at the end of what is not whole could be the beginning of a value. */
function scrubbed(
  bytes: Buffer<ArrayBuffer>,
  searched: SearchedValues,
  isWhole: boolean,
): Buffer<ArrayBuffer> {
  const scrubber = new ResponseScrubber(searched);
  const clean = scrubber.push(bytes);
  return Buffer.concat(isWhole ? [clean, scrubber.end()] : [clean]);
}

/** The beginning of a body, with the room that it takes of its session's budget; without room the copy ends there. */
class BodyCopy implements Disposable {
  readonly #max: number;
  readonly #options: BodyCaptureOptions;
  readonly #pieces: Buffer<ArrayBuffer>[] = [];
  readonly #rooms: Reservation[] = [];
  #length = 0;
  #room = 0;
  #isFull = false;
  #isEnded = false;

  constructor(max: number, options: BodyCaptureOptions) {
    this.#max = max;
    this.#options = options;
  }

  add(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return;
    const left = Math.min(this.#max - this.#length, chunk.byteLength);
    if (this.#isFull || left < chunk.byteLength) this.#isFull = true;
    if (left === 0 || !this.#makeRoom(left)) return;
    // A copy: the chunk belongs to the engine.
    this.#pieces.push(Buffer.from(chunk.subarray(0, left)));
    this.#length += left;
  }

  end(): void {
    this.#isEnded = true;
  }

  get isWhole(): boolean {
    return this.#isEnded && !this.#isFull;
  }

  get bytes(): Buffer<ArrayBuffer> {
    return Buffer.concat(this.#pieces);
  }

  #makeRoom(bytes: number): boolean {
    const { held, sessionId } = this.#options;
    try {
      for (; this.#room < this.#length + bytes; this.#room += stepBytes)
        this.#rooms.push(held.reserve(sessionId, stepBytes));
      return true;
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      // A copy is no reason to end what it is of.
      this.#isFull = true;
      return false;
    }
  }

  [Symbol.dispose](): void {
    for (const room of this.#rooms) room.release();
    this.#rooms.length = 0;
    this.#pieces.length = 0;
  }
}
