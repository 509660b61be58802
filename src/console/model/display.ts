// How values are written: times, sizes, durations, counts, ids, hosts. What is not known is a dash, never 0.

export const unknownMark = '–';

const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0');

/** By which clock times are written: one for the page, as it has one theme. */
let isByUtc = false;

export function writeTimesByUtc(isSo: boolean): void {
  isByUtc = isSo;
}

/** A date whose local fields are those of the clock by which times are written. */
function shownDate(ms: number): Date {
  return isByUtc ? new Date(ms + new Date(ms).getTimezoneOffset() * 60_000) : new Date(ms);
}

/** `09:41:07` and `.312`. */
export function clockTime(ms: number): { readonly time: string; readonly fraction: string } {
  const date = shownDate(ms);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return { time, fraction: `.${pad(date.getMilliseconds(), 3)}` };
}

/** With the day where it is not that of `nowMs`. */
export function momentText(ms: number, nowMs: number): string {
  const { time } = clockTime(ms);
  const day = shownDate(ms);
  if (day.toDateString() === shownDate(nowMs).toDateString()) return time;
  return `${day.getFullYear()}-${pad(day.getMonth() + 1)}-${pad(day.getDate())} ${time}`;
}

/** `UTC+01:00`. */
export function zoneText(ms: number): string {
  const minutes = isByUtc ? 0 : -new Date(ms).getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/** `41 ms`, `1.92 s`, `3 min 4 s`. */
export function durationText(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms) || ms < 0) return unknownMark;
  if (ms === 0) return '0 ms';
  if (ms < 0.1) return '< 0.1 ms';
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toPrecision(3)} s`;
  return longDuration(Math.round(ms / 1000));
}

/** How long ago or how long still, in whole seconds, minutes from an hour on. */
export function ageText(ms: number): string {
  const seconds = Math.max(1, Math.floor(ms / 1000));
  return longDuration(seconds < 3600 ? seconds : seconds - (seconds % 60));
}

function longDuration(seconds: number): string {
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  const first = units.findIndex(([size]) => seconds >= size);
  const [size, name] = units[first] ?? [1, 's'];
  const [smaller, smallerName] = units[first + 1] ?? [1, 's'];
  const rest = Math.floor((seconds % size) / smaller);
  return `${Math.floor(seconds / size)} ${name}${rest === 0 || first < 0 ? '' : ` ${rest} ${smallerName}`}`;
}

/** `18.6 kB`, by powers of 1000 with three digits. */
export function bytesText(bytes: number | undefined): string {
  if (bytes === undefined || !Number.isFinite(bytes) || bytes < 0) return unknownMark;
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'] as const;
  let value = bytes;
  let unit = 'B';
  for (const next of units) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value >= 1000 ? Math.round(value) : value.toPrecision(3)} ${unit}`;
}

/** `18,204`; from 100,000 on `2.22 M`. */
export function countText(count: number | undefined): string {
  if (count === undefined || !Number.isFinite(count)) return unknownMark;
  if (count < 100_000) return Math.round(count).toLocaleString('en-US');
  if (count < 999_500) return `${(count / 1000).toPrecision(3)} k`;
  if (count < 999_500_000) return `${(count / 1_000_000).toPrecision(3)} M`;
  return `${(count / 1_000_000_000).toPrecision(3)} G`;
}

export function plural(count: number, one: string, many: string): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** `c94b760c…1192`. */
export function shortId(id: string): string {
  return id.length <= 16 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`;
}

/** Enough of a session's id to tell it from others in one list. */
export function sessionName(id: string): string {
  return id.length <= 14 ? id : id.slice(0, 8);
}

/** The file of a rule without its folder: `20-apis.yaml:14`. */
export function shortPlace(place: string | undefined): string {
  return place?.replace(/^.*\//, '') ?? '';
}

export interface HostParts {
  /** Chosen by whoever has the domain, with its dot. */
  readonly below: string;
  /** What somebody registered: it says whose the host is. */
  readonly domain: string;
}

const secondLevels: ReadonlySet<string> = new Set(['ac', 'co', 'com', 'edu', 'gov', 'net', 'or', 'org']);

/** The registered name is what a reader has to see. Addresses have no parts. */
export function hostParts(host: string): HostParts {
  if (host.includes(':') || /^[\d.]+$/.test(host)) return { below: '', domain: host };
  const labels = host.split('.');
  const [second = '', first = ''] = labels.slice(-2);
  const count = first.length === 2 && secondLevels.has(second) ? 3 : 2;
  if (labels.length <= count) return { below: '', domain: host };
  return { below: `${labels.slice(0, -count).join('.')}.`, domain: labels.slice(-count).join('.') };
}

/** A long path loses its middle, so that both where it begins and what it names stay. */
export function middleCut(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const head = Math.ceil((charactersMax - 1) * 0.6);
  return `${text.slice(0, head)}…${text.slice(text.length - (charactersMax - 1 - head))}`;
}

const defaultPorts: Readonly<Record<string, number>> = { https: 443, http: 80 };

/** `:8443`, and nothing where it is the scheme's own. */
export function portSuffix(scheme: string | undefined, port: number | undefined): string {
  return port === undefined || defaultPorts[scheme ?? ''] === port ? '' : `:${port}`;
}
