// Workflow commands of GitHub Actions: lines of standard output that the runner takes for orders.

/** One line; neither the text nor a property can end it or begin another. */
export function workflowCommand(
  name: string,
  text: string,
  properties: Readonly<Record<string, string>> = {},
): string {
  const given = Object.entries(properties).map(([key, value]) => `${key}=${escapedProperty(value)}`);
  return `::${name}${given.length === 0 ? '' : ` ${given.join(',')}`}::${escapedText(text)}\n`;
}

/** Lines for the log of a job, of which the runner takes none for an order, whoever wrote a part of them. */
export function withoutCommands(lines: string): string {
  return lines
    .replaceAll('##[', '##\\u{5b}')
    .replaceAll('\r', '\\u{d}')
    .split('\n')
    .map(withoutOrder)
    .join('\n');
}

/** The runner passes over blanks before one. .NET's are others than JavaScript's (U+0085): all that is no visible ASCII counts as one. */
function withoutOrder(line: string): string {
  const start = line.search(/[\x21-\x7e]/);
  return line.startsWith('::', start) ? `${line.slice(0, start)}\\u{3a}${line.slice(start + 1)}` : line;
}

function escapedText(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapedProperty(text: string): string {
  return escapedText(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
