// What the recording of a shell shows, as a text. It holds whatever the shell said: whoever shows it has to take from it what acts upon a
// terminal or a page.

/** @param cast lines of asciicast (version 2), with its head or without */
export function recordingText(cast: string): string {
  let text = '';
  for (const line of cast.split('\n')) {
    const [code, data] = eventOf(line);
    if (code === 'o') text += data;
    // In a line of its own: where a terminal shows what is sent to it, it stands there twice.
    else if (code === 'i') text += `\n> ${JSON.stringify(data)}\n`;
  }
  return text.replaceAll('\r\n', '\n');
}

function eventOf(line: string): readonly [code: string, data: string] {
  try {
    const value: unknown = JSON.parse(line);
    const [, code, data] = Array.isArray(value) ? (value as unknown[]) : [];
    return [typeof code === 'string' ? code : '', typeof data === 'string' ? data : ''];
  } catch {
    return ['', ''];
  }
}
