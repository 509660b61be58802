// One row of the client matrix: a real tool that does its usual job against the origins of origin/origin.ts.

/** `root` and `user`: plain `run`, without an option, as root and as an ordinary user. */
export const allModes = ['environment', 'capture', 'root', 'user'] as const;
export type Mode = (typeof allModes)[number];

export function isPlain(mode: Mode): boolean {
  return mode === 'root' || mode === 'user';
}

export interface ExpectedFailure {
  readonly outcome: 'fail';
  readonly reason: string;
}

export interface ClientCheck {
  /** Unique, lower case with dashes: `git-clone`. */
  readonly id: string;
  /** The tool as the table names it; several checks may be of one client. */
  readonly client: string;
  /** Prints the version; the first number with a dot in its output is taken. Runs outside, without a network. */
  readonly version?: readonly string[];
  /**
   * What must be there, else the check is skipped by name: a command on PATH, or a file if it has a slash, whose name may have stars.
   * Placeholders are filled.
   */
  readonly needs: readonly string[];
  /** Which variables, files or options make it work, in a few words for the table. */
  readonly how: string;
  /** What the check itself sets so that the client works, where the product does not; the table says so. */
  readonly help?: string;
  /** Why an ordinary user cannot do it, with or without us. */
  readonly rootOnly?: string;
  /** Files before it starts, by path below the working directory, or below HOME if the path begins with `~/`. Placeholders are filled. */
  readonly files?: Readonly<Record<string, string>>;
  /** Variables beside those of the session, such as those that hide the machine's own settings. Placeholders are filled. */
  readonly env?: Readonly<Record<string, string>>;
  /** The arguments, without a shell. Placeholders are filled. Directory and HOME are fresh. */
  readonly command: readonly string[];
  /** What stdout and stderr together must show. Placeholders are filled in its source, with special characters escaped. */
  readonly expect: RegExp;
  /**
   * `job` (default): the exit code must be 0 as well. `reached`: only that the origin's own response came to the
   * client is shown, whatever the exit code.
   */
  readonly proves?: 'job' | 'reached';
  /** Modes in which it needs the agent's files in HOME; skipped in sessions that have none. */
  readonly homeFiles?: readonly Mode[];
  /** Modes in which it needs the CA in the system's store; skipped in sessions that have it not there. */
  readonly systemStore?: readonly Mode[];
  /** The one of the first two modes in which it makes sense; in the other it is skipped with `modeReason`. Plain `run` has both ways. */
  readonly modes?: readonly Mode[];
  readonly modeReason?: string;
  /** What is known to fail. A check that passes all the same is reported. */
  readonly expected?: { readonly [mode in Mode]?: ExpectedFailure };
  /** Part of `npm test`, so it takes seconds and its tools are everywhere. */
  readonly quick?: boolean;
  /** Default 60 s; then the whole process group is killed. */
  readonly timeoutMs?: number;
}

/** What placeholders stand for. */
export interface Placeholders {
  /** Host names of origins, by their short name, and the ports that they listen on. */
  readonly ports: Readonly<Record<string, number>>;
  /** Folder of what scripts/install-clients.sh brings: `node_modules`, `bin`. */
  readonly tools: string;
  /** The Node that runs the matrix. */
  readonly node: string;
  /** Of this run of this check: working directory, HOME, and a number that no other run has. */
  readonly dir: string;
  readonly home: string;
  readonly serial: string;
  /** A folder of this user that outlives the run, for what takes long to compile. */
  readonly cache: string;
}

const domain = 'up.test';
const defaultPorts: Readonly<Record<string, number>> = { https: 443, http: 80, wss: 443, ws: 80 };

/** The host name of an origin in one run of a check: `git` is `git.c7.up.test`, so that the audit tells whose request it was. */
export function originHost(name: string, { serial }: Pick<Placeholders, 'serial'>): string {
  return `${name}.${serial}.${domain}`;
}

/**
 * Fills `@https:NAME@` (an origin's URL without a slash behind it; also `http`, `wss`, `ws`), `@host:NAME@`,
 * `@authority:NAME@` (host, and port if it is not 443), `@port:SERVICE@` (`https`, `http`, `ssh`, `postgres`, `redis`,
 * `rsync`), `@dir@`, `@home@`, `@tools@`, `@node@`, `@cache@` and `@serial@`. Throws for a service that there is not.
 */
export function fill(text: string, values: Placeholders): string {
  const filled = text.replaceAll(
    /@(https|http|wss|ws|host|authority|port):([a-z0-9.-]+)@/g,
    (_all, kind: string, name: string) => {
      if (kind === 'host') return originHost(name, values);
      if (kind === 'port') return String(portOf(name, values));
      const scheme = kind === 'authority' ? 'https' : kind;
      const port = portOf(scheme, values);
      const authority = `${originHost(name, values)}${port === defaultPorts[scheme] ? '' : `:${port}`}`;
      return kind === 'authority' ? authority : `${kind}://${authority}`;
    },
  );
  return filled.replaceAll(
    /@(dir|home|tools|node|serial|cache)@/g,
    // The pattern admits these names only.
    (_all, name: string) => values[name as 'dir' | 'home' | 'tools' | 'node' | 'serial' | 'cache'],
  );
}

function portOf(service: string, { ports }: Placeholders): number {
  const listening = { wss: 'https', ws: 'http' }[service] ?? service;
  const port = ports[listening];
  if (port === undefined) throw new Error(`no origin listens for ${service}`);
  return port;
}

/** `fill` for the pattern of `expect`. */
export function fillPattern(pattern: RegExp, values: Placeholders): RegExp {
  const source = pattern.source.replaceAll(/@[a-z]+(?::[a-z0-9.-]+)?@/g, (placeholder) =>
    RegExp.escape(fill(placeholder, values)),
  );
  return new RegExp(source, pattern.flags);
}
