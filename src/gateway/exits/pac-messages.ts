// What a PAC script and its thread tell each other.

import type { MessagePort } from 'node:worker_threads';

export type PacReading =
  | { readonly kind: 'found'; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Asked {
  readonly url: string;
  readonly host: string;
}

/** What the thread gets. */
export interface PacThreadData {
  readonly code: WebAssembly.Module;
  readonly script: string;
  /** Questions come here, and readings and names to resolve go back. */
  readonly port: MessagePort;
  /** 1 where an address, or that there is none, is on the port: the thread waits for it. */
  readonly signal: Int32Array;
}

export type PacMessage =
  | { readonly ask: Asked; readonly ownAddress: string }
  | { readonly address: string | null };
export type PacResponse =
  /** The thread can be asked. */
  | { readonly ready: true }
  | { readonly resolve: string }
  /** `spentMs`: with the names that it asked for. */
  | { readonly reading: PacReading; readonly spentMs: number };
