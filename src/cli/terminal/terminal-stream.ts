// What a stream shows beside text, decided in this one place: colours, links, and a line that is written again and again. A stream that is not
// a terminal gets the text alone, unless somebody asks for colours by name.

import { styleText } from 'node:util';
import { harmlessText } from './text-table.ts';

/** What a piece of text is, not which colour it has. */
export type Look = 'heading' | 'bad' | 'doubtful' | 'good' | 'faint';

export interface TerminalStream {
  readonly hasColors: boolean;
  /** OSC 8: the terminal makes a text one that can be followed. */
  readonly hasLinks: boolean;
  /** A line can be erased and written anew. */
  readonly hasProgress: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const formats = {
  heading: 'bold',
  bad: 'red',
  doubtful: 'yellow',
  good: 'green',
  faint: 'dim',
} as const satisfies Readonly<Record<Look, string>>;

const escape = '\u001b';

/** Decides for this very stream: of two, one may be a terminal and the other a file. */
export function terminalStream(
  { isTTY = false }: { readonly isTTY?: boolean | undefined },
  environment: Environment,
): TerminalStream {
  const isDumb = environment['TERM'] === 'dumb';
  const isPlain = isSaid(environment['NO_COLOR']);
  return {
    hasColors: !isPlain && (isForced(environment) ?? (isTTY && !isDumb)),
    hasLinks: isTTY && !isDumb && !isPlain && knowsLinks(environment),
    hasProgress: isTTY && !isDumb,
  };
}

/** https://no-color.org: any text but the empty one. */
function isSaid(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

/** What is asked for by name; undefined: nothing is. The first that says something holds. */
function isForced(environment: Environment): boolean | undefined {
  for (const name of ['CLICOLOR_FORCE', 'FORCE_COLOR']) {
    const value = environment[name];
    if (isSaid(value)) return value !== '0' && value !== 'false';
  }
  return environment['CLICOLOR'] === '0' ? false : undefined;
}

/** Programs that are known to make a link of it. One that is not would at best show nothing of it, so it gets none. */
const programsWithLinks: ReadonlySet<string> = new Set(['iTerm.app', 'WezTerm', 'vscode', 'ghostty', 'rio']);
const terminalsWithLinks = /^(?:xterm-kitty|xterm-ghostty|foot|foot-extra|wezterm|rio)$/;
/** VTE, of GNOME's terminal and others, has them since 0.50. */
const vteWithLinks = 5000;

function knowsLinks(environment: Environment): boolean {
  const { FORCE_HYPERLINK: forced, TERM: term = '', TERM_PROGRAM: program = '' } = environment;
  if (isSaid(forced)) return forced !== '0' && forced !== 'false';
  // They hand on the variables of the terminal around them, and not its links.
  if (/^(?:screen|tmux)/.test(term)) return false;
  const vte = Number(environment['VTE_VERSION'] ?? 0);
  return terminalsWithLinks.test(term) || programsWithLinks.has(program) || vte >= vteWithLinks;
}

/** The text in the colour of what it is. What strangers wrote is made harmless here, so that nobody has to remember it. */
export function painted({ hasColors }: TerminalStream, look: Look, text: string): string {
  const shown = harmlessText(text);
  return hasColors ? styleText(formats[look], shown, { validateStream: false }) : shown;
}

/** The text as a link; where there are none, or nothing to lead to, the text alone. `text` may be painted. */
export function linked({ hasLinks }: TerminalStream, text: string, target: URL | undefined): string {
  if (!hasLinks || target === undefined) return text;
  // A URL as it is written out has no control character and no space.
  return `${escape}]8;;${target.href}${escape}\\${text}${escape}]8;;${escape}\\`;
}

/** Standard output of this process. */
export function standardOutput(): TerminalStream {
  return terminalStream(process.stdout, process.env);
}

/** Standard error of this process. */
export function standardErrors(): TerminalStream {
  return terminalStream(process.stderr, process.env);
}
