// The index of advisories that rules look into: taken again when the file changes, and told of when it becomes old.

import { type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { asProxyError, type ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { RepeatedLook } from '../../../system/repeated-look.ts';
import type { AdvisoryIndex } from '../../../understand/packages/advisory-index.ts';
import type { PackageRegistry } from '../../../understand/packages/package-request.ts';
import type { AdvisoriesSettings } from '../../config/advisories-settings.ts';
import { readAdvisoryFile } from './advisory-file.ts';

export interface LiveAdvisoriesOptions extends AdvisoriesSettings {
  readonly clock: () => number;
  /** Of an index that was taken, and of one that cannot be. */
  readonly log: (level: 'info' | 'error', message: string) => void;
  /** Of advisories that are old, or not there: once, and then once a day. */
  readonly onStale: (message: string) => void;
  /** Whether this process tells of it: each of them reads the file. */
  readonly isOnDuty: () => boolean;
  readonly onFault: (error: ProxyError) => void;
  /** `readAdvisoryFile`, if nothing else is said. */
  readonly read?: (path: string) => Promise<AdvisoryIndex>;
}

export interface AdvisoriesState {
  /** Undefined: there is none that can be read. */
  readonly index: AdvisoryIndex | undefined;
  /** How long they have been older than they should be, or not there; 0: they are not. */
  readonly staleForMs: number;
  readonly staleRegistries: readonly PackageRegistry[];
}

export class LiveAdvisories implements AsyncDisposable {
  readonly #options: LiveAdvisoriesOptions;
  readonly #openedMs: number;
  readonly #looks: RepeatedLook;
  #index: AdvisoryIndex | undefined;
  /** Of the file that was taken last. */
  #seen = '';
  /** Why the file that is there cannot be taken, as it was logged last. */
  #fault: string | undefined;
  #toldMs: number | undefined;

  private constructor(options: LiveAdvisoriesOptions) {
    this.#options = options;
    this.#openedMs = options.clock();
    this.#looks = new RepeatedLook({
      look: () => this.#look(),
      intervalMs: defaultLimits.advisoryLookIntervalMs,
      onFault: options.onFault,
    });
  }

  /** With the index that is there; a file that is not, or cannot be read, keeps nothing else from starting. */
  static async open(options: LiveAdvisoriesOptions): Promise<LiveAdvisories> {
    const live = new LiveAdvisories(options);
    await live.look();
    live.#looks.start();
    return live;
  }

  get index(): AdvisoryIndex | undefined {
    return this.#index;
  }

  /** Resolves when it was looked at. */
  async look(): Promise<void> {
    await this.#looks.now();
  }

  state(): AdvisoriesState {
    const nowMs = this.#options.clock();
    const index = this.#index;
    if (index === undefined)
      return { index, staleForMs: Math.max(1, nowMs - this.#openedMs), staleRegistries: [] };
    const late = [...index.head.registries].flatMap(([registry, { newestMs }]) => {
      const lateMs = nowMs - newestMs - this.#options.staleMs;
      return lateMs > 0 ? [{ registry, lateMs }] : [];
    });
    return {
      index,
      staleForMs: late.reduce((most, { lateMs }) => Math.max(most, lateMs), 0),
      staleRegistries: late.map(({ registry }) => registry),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#looks.close();
  }

  async #look(): Promise<void> {
    await this.#take();
    this.#tell();
  }

  /** One that cannot be read leaves the one before in force, and is read again at the next look: what kept it from being read may pass. */
  async #take(): Promise<void> {
    const { index: path, log, read = readAdvisoryFile } = this.#options;
    const found = await stat(path).catch(() => undefined);
    const seen = found === undefined ? 'none' : markOf(found);
    if (seen === this.#seen) return;
    try {
      const index = await read(path);
      this.#index = index;
      this.#seen = seen;
      this.#fault = undefined;
      const counts = [...index.head.registries].map(
        ([name, { advisories }]) => `${String(advisories)} of ${name}`,
      );
      log('info', `advisories are in force: ${counts.join(', ')}`);
    } catch (error) {
      const { message } = asProxyError(error);
      if (message === this.#fault) return;
      this.#fault = message;
      const before =
        this.#index === undefined ? 'rules that look into it allow nothing' : 'the one before stays in force';
      log('error', `${message}; ${before}`);
    }
  }

  #tell(): void {
    const { clock, onStale, isOnDuty, index: path } = this.#options;
    const { index, staleForMs, staleRegistries } = this.state();
    if (staleForMs === 0) {
      this.#toldMs = undefined;
      return;
    }
    const nowMs = clock();
    if (!isOnDuty()) return;
    if (this.#toldMs !== undefined && nowMs - this.#toldMs < defaultLimits.advisoryAlarmMs) return;
    this.#toldMs = nowMs;
    onStale(
      index === undefined
        ? `there is no index of advisories that can be read at ${path}: rules that look into it allow nothing`
        : `nothing new is known against packages of ${staleRegistries.join(', ')}: the index of advisories is old (advisories.staleDays); import a new export`,
    );
  }
}

const markOf = ({ ino, size, mtimeMs, ctimeMs }: Stats): string =>
  [ino, size, mtimeMs, ctimeMs].map(String).join(' ');
