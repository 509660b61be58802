// Prose in lines that fit a terminal.

const width = 110;

/** Lines of at most `width` characters that begin behind `indent` spaces. */
export function wrapped(text: string, indent: number): string {
  const space = ' '.repeat(indent);
  const all: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      all.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...all, line].map((one) => `${space}${one}\n`).join('');
}
