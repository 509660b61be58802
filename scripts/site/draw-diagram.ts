// A diagram of D2 as SVG. It is drawn by WebAssembly, without a browser.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What is used of `@terrastruct/d2`. */
interface DrawingProgram {
  readonly D2: new () => {
    compile(
      text: string,
      options: object,
    ): Promise<{ readonly diagram: object; readonly renderOptions: object }>;
    render(diagram: object, options: object): Promise<string>;
  };
}

/** `root`: of the project, with the tools of the site installed. The program keeps a thread: end the process when all is drawn. */
export async function drawDiagram(root: string, text: string): Promise<string> {
  const place = pathToFileURL(join(root, 'site/node_modules/@terrastruct/d2/dist/node-esm/index.js'));
  // Its interface, as its own types have it.
  const { D2 } = (await import(place.href)) as DrawingProgram;
  const program = new D2();
  const { diagram, renderOptions } = await program.compile(text, { layout: 'dagre', themeID: 0, pad: 16 });
  return await program.render(diagram, { ...renderOptions, noXMLTag: true });
}
