// The commands that documents show, and what stands on a command line of this program.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DocumentCommand {
  /** Relative to the checkout. */
  readonly document: string;
  /** One command of a shell, with the lines that it goes on in. */
  readonly line: string;
  /** It is shown with what it prints. */
  readonly isConsole: boolean;
}

const languages = 'sh|bash|shell|console';
const prompt = /^(?:\w+)?\$ /;

/** All of the blocks of a document that hold commands. */
export function commandsIn(document: string, text: string): readonly DocumentCommand[] {
  // A block that is a file is no command.
  const files = /^<!-- file: .*? -->\n+```\w+\n.*?^```$/gms;
  const blocks = text
    .replaceAll(files, '')
    .matchAll(new RegExp(`^ *\`\`\`(${languages})\\n(.*?)^ *\`\`\`$`, 'gms'));
  return [...blocks].flatMap(([, language, body = '']) =>
    body
      .replaceAll(/ *\\\n */g, ' ')
      .split('\n')
      .filter((line) => language !== 'console' || prompt.test(line))
      .map((line) =>
        line
          .replace(prompt, '')
          .replace(/^ *#.*$|\s+#\s.*$/, '')
          .trim(),
      )
      .filter((line) => line !== '')
      .map((line) => ({ document, line, isConsole: language === 'console' })),
  );
}

/** Of README, and of all guides and references. */
export function documentCommands(root: string): readonly DocumentCommand[] {
  const documents = ['README.md', 'docs/*.md', 'docs/guides/*.md', 'docs/reference/*.md'];
  return globSync(documents, { cwd: root })
    .toSorted()
    .flatMap((document) => commandsIn(document, readFileSync(join(root, document), 'utf8')));
}

/** Words of each simple command of a line (POSIX, Shell Command Language, as far as documents use it), without what they are redirected to. */
export function simpleCommands(line: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  let skipsNext = false;
  for (const [token] of line.matchAll(/\d?>>?|<|(?:[^\s;&|<>()'"]|'[^']*'|"(?:[^"\\]|\\.)*")+|[;&|()]+/g)) {
    if (/^[;&|()]+$/.test(token)) commands.push([]);
    else if (/^(?:\d?>>?|<)$/.test(token)) skipsNext = true;
    else if (skipsNext) skipsNext = false;
    else commands.at(-1)?.push(token.replaceAll(/["']/g, ''));
  }
  return commands.filter((words) => words.length > 0);
}

const programName = /^(?:bin\/)?upstreamproxy(?:-agent|-gateway)?$/;

/** What this program gets of a line, each time that it is started there: by itself, or behind `--` of another command. */
export function programArguments(line: string): readonly (readonly string[])[] {
  return simpleCommands(line).flatMap((words) => {
    const starts = words.flatMap((word, index) =>
      programName.test(word) && (index === 0 || words[index - 1] === '--') ? [index] : [],
    );
    return starts.map((start) => words.slice(start + 1));
  });
}
