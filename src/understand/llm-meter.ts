// Reads what a call took out of its response as that passes by: one document of JSON, a stream of events, or Amazon's frames.

import { GatheredOctets } from '../protocol/gathered-octets.ts';
import { AmazonEventReader } from './amazon-event-stream.ts';
import { octetsOfBase64 } from './base64.ts';
import { bedrockMetrics } from './bedrock-counts.ts';
import { EventStreamReader } from './event-stream.ts';
import { type LlmUsage, type UsageForm, UsageTally } from './llm-usage.ts';

export interface LlmMeterOptions {
  readonly form: UsageForm;
  /** Alternatives that were asked for. */
  readonly choices: number;
  readonly contentType: string | undefined;
  /** Of a document, an event or a frame that is held until it is whole. */
  readonly octetsMax: number;
  /** What its head says, as a message of it would. */
  readonly told?: unknown;
}

interface Reading {
  push(octets: Uint8Array): void;
  end(): void;
  /** What it holds. */
  readonly octets: number;
}

/** Never throws: what cannot be read says nothing of what was used. */
export class LlmMeter {
  readonly #tally: UsageTally;
  #reading: Reading | undefined;
  readonly #max: number;

  constructor({ form, choices, contentType, octetsMax, told }: LlmMeterOptions) {
    this.#tally = new UsageTally(form, choices);
    this.#tally.take(told);
    this.#max = octetsMax;
    this.#reading = readingOf(contentType, this.#tally, { form, max: octetsMax });
  }

  /** What is held of the response. */
  get octets(): number {
    return this.#reading?.octets ?? 0;
  }

  get usage(): LlmUsage | undefined {
    return this.#tally.usage;
  }

  get isFinal(): boolean {
    return this.#tally.isFinal;
  }

  push(octets: Uint8Array): void {
    this.#reading?.push(octets);
    // Of what is longer nothing more is known: what was said so far is not all.
    if (this.octets > this.#max) this.#reading = undefined;
  }

  end(): void {
    this.#reading?.end();
    this.#reading = undefined;
  }
}

function readingOf(
  contentType: string | undefined,
  tally: UsageTally,
  { form, max }: { readonly form: UsageForm; readonly max: number },
): Reading | undefined {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'text/event-stream') return eventsReading(tally, max);
  if (type === 'application/vnd.amazon.eventstream') return framesReading(tally, form, max);
  return type === 'application/json' ? documentReading(tally, max) : undefined;
}

const decoder = new TextDecoder();

function take(tally: UsageTally, text: string): void {
  try {
    tally.take(JSON.parse(text));
  } catch {
    // `[DONE]`, or nothing that says what was used.
  }
}

function eventsReading(tally: UsageTally, max: number): Reading {
  const reader = new EventStreamReader(max);
  return {
    push: (octets) => {
      for (const { data } of reader.push(octets)) if (data !== undefined && isOfUse(data)) take(tally, data);
    },
    end: () => undefined,
    get octets() {
      return reader.characters;
    },
  };
}

const marks = ['usage', 'finish', 'blockReason', 'token_count', bedrockMetrics];

/** Most events are pieces of text, which need no reading. */
function isOfUse(data: string): boolean {
  return marks.some((mark) => data.includes(mark));
}

function framesReading(tally: UsageTally, form: UsageForm, max: number): Reading {
  const reader = new AmazonEventReader(max);
  return {
    push: (octets) => {
      for (const { type, payload } of reader.push(octets))
        if (form === 'bedrock-invoke') takeChunk(tally, type, payload);
        else if (type === 'metadata') take(tally, decoder.decode(payload));
    },
    end: () => undefined,
    get octets() {
      return reader.octets;
    },
  };
}

/** In InvokeModel a frame wraps what the model says, whatever its family. */
function takeChunk(tally: UsageTally, type: string | undefined, payload: Uint8Array): void {
  if (type !== 'chunk') return;
  try {
    // What JSON.parse gives is looked at before it is used.
    const { bytes } = JSON.parse(decoder.decode(payload)) as { readonly bytes?: unknown };
    const octets = typeof bytes === 'string' ? octetsOfBase64(bytes) : undefined;
    const said = octets === undefined ? '' : decoder.decode(octets);
    if (isOfUse(said)) take(tally, said);
  } catch {
    // No chunk that could be read says what was used.
  }
}

function documentReading(tally: UsageTally, max: number): Reading {
  const held = new GatheredOctets();
  return {
    push: (octets) => {
      if (held.length <= max) held.push(octets);
    },
    end: () => take(tally, decoder.decode(held.take())),
    get octets() {
      return held.length;
    },
  };
}
