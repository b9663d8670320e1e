// @ts-nocheck Its imports are written by the command below.
// A Worker that blurs a PNG of 640 x 480 pixels that is posted to it. Nothing is compiled or planned there:
//   npx rank1 compile gaussian:sigma=4 --size 640x480x4 --name blur -o .
//   npx wrangler dev blur-worker.js
import { decode, encode } from "fast-png";
import { load } from "./blur.worker.js";

const size = [640, 480];
let blur;

export default {
  async fetch(request) {
    if (request.method !== "POST") return new Response("post a PNG of 640 x 480 pixels\n", { status: 405 });
    let picture;
    try {
      picture = decode(await request.arrayBuffer());
    } catch {
      return new Response("that is no PNG\n", { status: 400 });
    }
    const { width, height, channels, data, depth } = picture;
    if (width !== size[0] || height !== size[1] || depth !== 8)
      return new Response(`expected 8 bits and ${size.join(" x ")} pixels, got ${depth} and ${width} x ${height}\n`, {
        status: 400,
      });
    blur ??= await load();
    const pixels = channels === 4 ? data : withAlpha(data, channels);
    const { data: blurred } = blur({ width, height, channels: 4, data: pixels });
    return new Response(encode({ width, height, channels: 4, data: blurred }), {
      headers: { "content-type": "image/png" },
    });
  },
};

/** Grey, grey with alpha, or colours as colours with alpha. */
function withAlpha(data, channels) {
  const pixels = new Uint8Array((data.length / channels) * 4);
  for (let from = 0, to = 0; to < pixels.length; from += channels, to += 4) {
    for (let c = 0; c < 3; c++) pixels[to + c] = data[from + (channels >= 3 ? c : 0)];
    pixels[to + 3] = channels === 2 ? data[from + 1] : 255;
  }
  return pixels;
}
