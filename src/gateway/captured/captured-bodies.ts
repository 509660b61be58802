// What rules ask to be kept: sealed, one file an exchange or a shell, in a folder for each day. Nothing here holds up an exchange: a body that
// finds no room is dropped and counted. A shell ends that finds none. A day is removed whole, with its key.

import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits, type LimitName } from '../../protocol/limits.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { type CapturedExchange, decodeCaptured, encodeCaptured } from './captured-exchange.ts';
import { openOctets, sealOctets } from '../../system/sealed-octets.ts';
import { dayKey, type SealingKey } from './day-keys.ts';
import { Recording } from './recording.ts';
import { type ReadRecording, readPieces, type TerminalSize } from './recording-form.ts';

const dayMs = 86_400_000;
const lookIntervalMs = 3_600_000;
const suffix = '.body';
const recordingSuffix = '.recording';
/** What a file takes of a disk at least. */
const blockBytes = 4096;
const dayPattern = /^\d{4}-\d{2}-\d{2}$/;
const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface CapturedBodiesOptions {
  readonly directory: string;
  readonly keepDays: number;
  /** Of this process. */
  readonly keepBytes: number;
  /** Asked once, and only when something is kept or read. */
  readonly gatewayKey: () => Promise<SealingKey>;
  readonly clock: () => number;
  readonly onLimit: (limit: LimitName) => void;
  readonly onFault: (error: ProxyError) => void;
  /** Whether this process removes what is too old; one of several is enough. */
  readonly isOnDuty?: () => boolean;
}

interface Waiting {
  readonly id: string;
  readonly sessionId: string;
  readonly text: Buffer;
}

/** Of which day an event is, by its id (UUID version 7). Undefined for what is no id. */
function dayOf(id: string): string | undefined {
  if (!idPattern.test(id)) return undefined;
  const ms = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  return new Date(ms).toISOString().slice(0, 10);
}

export class CapturedBodies implements AsyncDisposable {
  readonly #options: CapturedBodiesOptions;
  readonly #look: RepeatedLook;
  readonly #waiting: Waiting[] = [];
  readonly #waitingOf = new Map<string, number>();
  /** What sessions have kept today. */
  #today: { readonly day: string; readonly bySession: Map<string, number> } | undefined;
  #waitingBytes = 0;
  #held: { bytes: number; files: number } | undefined;
  #writing: Promise<void> | undefined;
  #gatewayKey: Promise<SealingKey> | undefined;
  #day: { readonly day: string; readonly key: SealingKey } | undefined;
  #isFailing = false;

  constructor(options: CapturedBodiesOptions) {
    this.#options = options;
    this.#look = new RepeatedLook({
      look: () => this.#expire(),
      intervalMs: lookIntervalMs,
      onFault: options.onFault,
    });
    this.#look.start();
  }

  /** Takes what was kept of an exchange. Never throws and never waits; false where there is no room. */
  put(id: string, sessionId: string, captured: CapturedExchange): boolean {
    const text = encodeCaptured(captured);
    const full = this.#full(sessionId, text.length);
    if (full !== undefined) {
      this.#options.onLimit(full);
      return false;
    }
    this.#waiting.push({ id, sessionId, text });
    this.#waitingBytes += text.length;
    this.#waitingOf.set(sessionId, (this.#waitingOf.get(sessionId) ?? 0) + text.length);
    this.#charge(sessionId, text.length);
    this.#writing ??= this.#write();
    return true;
  }

  /** What was kept of that event; undefined where there is nothing of it. @throws ProxyError config_invalid for a key that is another one */
  async read(id: string): Promise<CapturedExchange | undefined> {
    await this.#writing;
    const day = dayOf(id);
    if (day === undefined) return undefined;
    const folder = join(this.#options.directory, day);
    const sealed = await readFile(join(folder, `${id}${suffix}`)).catch(absent);
    if (sealed === undefined) return undefined;
    const key = await dayKey(folder, day, { gatewayKey: await this.#key(), isMade: false });
    const text = openOctets(key.reveal(), sealed, purposeOf(id));
    const captured = text === undefined ? undefined : decodeCaptured(Buffer.from(text));
    if (captured === undefined)
      throw new ProxyError('internal', `what was kept of ${id} cannot be read: it was changed, or cut off`);
    return captured;
  }

  /** Begins the recording of a shell beside its event. @throws ProxyError limit_exceeded, audit_unavailable, config_invalid */
  async record(id: string, sessionId: string, size: TerminalSize): Promise<Recording> {
    const { clock } = this.#options;
    try {
      this.#held ??= await this.#count();
      // However little it shows: files are what one session could use up for all.
      this.#makeRoom(sessionId, blockBytes, true);
      const { day, folder, key } = await this.#folderOf(id);
      const file = await open(join(folder, `${id}${recordingSuffix}`), 'wx', 0o600);
      this.#held.files += 1;
      const charge = (bytes: number): void => {
        if (day < this.#oldest())
          throw new ProxyError('limit_exceeded', 'this shell is older than what is kept');
        this.#makeRoom(sessionId, bytes, false);
      };
      return await Recording.begin({ file, key, id, clock, charge }, size);
    } catch (error) {
      if (error instanceof ProxyError) throw error;
      throw new ProxyError('audit_unavailable', 'this shell cannot be recorded, so it is not opened', {
        cause: error,
        operatorDetail: `no recording can be begun: ${faultReason(error)}`,
      });
    }
  }

  /** The recording of that event's shell, as far as it goes; undefined where there is none. @throws ProxyError config_invalid */
  async readRecording(id: string): Promise<ReadRecording | undefined> {
    const day = dayOf(id);
    if (day === undefined) return undefined;
    const folder = join(this.#options.directory, day);
    const kept = await readFile(join(folder, `${id}${recordingSuffix}`)).catch(absent);
    if (kept === undefined) return undefined;
    const key = await dayKey(folder, day, { gatewayKey: await this.#key(), isMade: false });
    return await readPieces(key.reveal(), id, kept);
  }

  /** Removes what is too old, now. */
  expire(): Promise<void> {
    return this.#look.now();
  }

  /** Resolves when all that was taken is on disk, or lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#look.close();
    await this.#writing;
  }

  #full(sessionId: string, bytes: number): LimitName | undefined {
    const { capturedWaitingBytesMax } = defaultLimits;
    const ofSession = this.#waitingOf.get(sessionId) ?? 0;
    if (this.#waitingBytes + bytes > capturedWaitingBytesMax) return 'capturedWaitingBytesMax';
    if (ofSession + bytes > capturedWaitingBytesMax / 4) return 'capturedWaitingBytesMax';
    return this.#fullOnDisk(sessionId, bytes, true);
  }

  #fullOnDisk(sessionId: string, bytes: number, opensFile: boolean): LimitName | undefined {
    const { capturedSessionBytesMax, capturedFilesMax } = defaultLimits;
    if (this.#keptToday(sessionId) + bytes > capturedSessionBytesMax) return 'capturedSessionBytesMax';
    // Nothing that was kept makes room: what a flood would push out is what somebody may look for.
    const { bytes: held, files } = this.#held ?? { bytes: 0, files: 0 };
    const isFull = held + this.#waitingBytes + bytes > this.#options.keepBytes;
    // What has its file already takes none.
    const isOneMore = opensFile && files + this.#waiting.length >= capturedFilesMax;
    return isFull || isOneMore ? 'capturedFilesMax' : undefined;
  }

  /** Of what does not wait, so that bodies that do end no shell. @throws ProxyError limit_exceeded */
  #makeRoom(sessionId: string, bytes: number, opensFile: boolean): void {
    const full = this.#fullOnDisk(sessionId, bytes, opensFile);
    if (full !== undefined) {
      this.#options.onLimit(full);
      const message = `there is no room for the recording of this shell (${full})`;
      throw new ProxyError('limit_exceeded', message, { limit: full });
    }
    this.#charge(sessionId, bytes);
    if (this.#held !== undefined) this.#held.bytes += bytes;
  }

  #keptToday(sessionId: string): number {
    const day = dayText(this.#options.clock());
    if (this.#today?.day !== day) this.#today = { day, bySession: new Map() };
    return this.#today.bySession.get(sessionId) ?? 0;
  }

  #charge(sessionId: string, bytes: number): void {
    this.#today?.bySession.set(sessionId, this.#keptToday(sessionId) + bytes);
  }

  async #write(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        this.#held ??= await this.#count();
        await this.#writeOne(next);
        this.#held.bytes += next.text.length;
        this.#held.files += 1;
        this.#isFailing = false;
      } catch (error) {
        // Told once: a disk that is full would say it with each exchange.
        if (!this.#isFailing) this.#options.onFault(asProxyError(error));
        this.#isFailing = true;
        this.#options.onLimit('capturedWaitingBytesMax');
      }
      this.#waiting.shift();
      this.#waitingBytes -= next.text.length;
      const left = (this.#waitingOf.get(next.sessionId) ?? 0) - next.text.length;
      if (left > 0) this.#waitingOf.set(next.sessionId, left);
      else this.#waitingOf.delete(next.sessionId);
    }
    // In the same turn as the last look at the queue: what comes now begins anew.
    this.#writing = undefined;
  }

  async #writeOne({ id, text }: Waiting): Promise<void> {
    const { folder, key } = await this.#folderOf(id);
    const sealed = sealOctets(key.reveal(), text, purposeOf(id));
    await writeFile(join(folder, `${id}${suffix}`), sealed, { mode: 0o600, flag: 'wx' });
  }

  /** Of the day of an event, made where it is missing. */
  async #folderOf(
    id: string,
  ): Promise<{ readonly day: string; readonly folder: string; readonly key: SealingKey }> {
    const day = dayOf(id);
    if (day === undefined) throw new ProxyError('internal', 'an event has an id that is none');
    const folder = join(this.#options.directory, day);
    const known = this.#day;
    if (known?.day === day) return { folder, ...known };
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const opened = { day, key: await dayKey(folder, day, { gatewayKey: await this.#key(), isMade: true }) };
    this.#day = opened;
    return { folder, ...opened };
  }

  #key(): Promise<SealingKey> {
    this.#gatewayKey ??= this.#options.gatewayKey();
    // A source that is away may be there the next time.
    this.#gatewayKey.catch(() => (this.#gatewayKey = undefined));
    return this.#gatewayKey;
  }

  async #days(): Promise<readonly string[]> {
    const names = (await readdir(this.#options.directory).catch(absent)) ?? [];
    return names.filter((name) => dayPattern.test(name));
  }

  async #count(): Promise<{ bytes: number; files: number }> {
    const held = { bytes: 0, files: 0 };
    for (const day of await this.#days()) {
      const folder = join(this.#options.directory, day);
      for (const name of (await readdir(folder).catch(absent)) ?? []) {
        if (!name.endsWith(suffix) && !name.endsWith(recordingSuffix)) continue;
        held.bytes += (await stat(join(folder, name)).catch(absent))?.size ?? 0;
        held.files += 1;
      }
    }
    return held;
  }

  /** The first day that is kept. */
  #oldest(): string {
    return dayText(this.#options.clock() - this.#options.keepDays * dayMs);
  }

  async #expire(): Promise<void> {
    const oldest = this.#oldest();
    const days = this.#options.isOnDuty?.() === false ? [] : await this.#days();
    for (const day of days) {
      if (day >= oldest) continue;
      const folder = join(this.#options.directory, day);
      // The key first: what of the day a fault leaves is nothing without it.
      await rm(join(folder, 'key'), { force: true });
      await rm(folder, { recursive: true, force: true });
    }
    if (this.#held !== undefined) this.#held = await this.#count();
  }
}

function purposeOf(id: string): string {
  return `upstreamproxy bodies of ${id}`;
}

function dayText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}
