// Keeps the page for use without a network, and gives it shared memory where its host sends no headers for that.
// The build puts the list of files in here.
const { version, files } = "__FILES__";
const CACHE = `basic-mllm-${version}`;

self.addEventListener("install", (event) => {
  const urls = ["./", ...files];
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(urls))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(self.registration.scope)) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cached = await caches.match(request, { cacheName: CACHE, ignoreSearch: true });
  return isolated(cached ?? (await fetch(request)));
}

function isolated(response) {
  // A redirect that the browser follows itself.
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText, body } = response;
  return new Response(body, { status, statusText, headers });
}
