// What a gateway keeps in its state folder for a start while the store is away: where the others were, how far it was itself, and the keys by
// which gateways know each other, as they are sealed in the store.

import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';

const fileName = 'peers-seen.json';

const schema = z.object({
  form: z.literal(1),
  place: z.object({ history: z.string().max(200), number: z.int().nonnegative() }).optional(),
  peers: z.array(z.string().min(1).max(300)).max(defaultLimits.peersAskedMax),
  /** Where the identity is in the store. */
  identity: z.object({ version: z.int().min(1), sealed: z.string() }).optional(),
});

export type SeenPeers = Omit<z.infer<typeof schema>, 'form'>;

/** Undefined where there is none. Throws ProxyError `peer_unreachable` for one that cannot be read: what this gateway knew is not known then. */
export async function readSeenPeers(stateDirectory: string): Promise<SeenPeers | undefined> {
  const path = join(stateDirectory, fileName);
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > defaultLimits.seenPeersBytesMax) throw new Error('it is too large');
    return schema.parse(JSON.parse(await file.readFile('utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const message = `${path} cannot be read: ${faultReason(error)}; remove it to start without what it says`;
    throw new ProxyError('peer_unreachable', message, { cause: error });
  }
}

export interface SeenPeersOptions {
  readonly stateDirectory: string;
  /** Addresses of an earlier process: one that is not seen now may be there again. */
  readonly before: readonly string[];
  readonly now: () => SeenPeers;
  readonly onFault: (error: ProxyError) => void;
}

/** Keeps it until it is closed, and then once more. */
export class SeenPeersFile implements AsyncDisposable {
  readonly #options: SeenPeersOptions;
  readonly #repeated: RepeatedLook;
  /** Those that were seen last in front. */
  #addresses: readonly string[];
  #written = '';
  #fault = '';

  constructor(options: SeenPeersOptions) {
    this.#options = options;
    this.#addresses = options.before;
    this.#repeated = new RepeatedLook({
      look: () => this.#write(),
      intervalMs: defaultLimits.gatewayNoteMs,
      firstMs: 0,
      onFault: (error) => this.#tell(error),
    });
    this.#repeated.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#repeated.now();
    await this.#repeated.close();
  }

  async #write(): Promise<void> {
    const { stateDirectory, now } = this.#options;
    const { peers, ...rest } = now();
    const isNew = peers.some((address) => !this.#addresses.includes(address));
    if (isNew)
      this.#addresses = [...new Set([...peers, ...this.#addresses])].slice(0, defaultLimits.peersAskedMax);
    const text = `${JSON.stringify({ form: 1, ...rest, peers: this.#addresses })}\n`;
    if (text === this.#written) return;
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    await writeFileAtomically(join(stateDirectory, fileName), text, { mode: 0o600 });
    this.#written = text;
    this.#fault = '';
  }

  #tell(error: ProxyError): void {
    const { message } = asProxyError(error);
    if (message === this.#fault) return;
    this.#fault = message;
    this.#options.onFault(error);
  }
}
