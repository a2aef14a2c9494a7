# hiphopss on a CPU, with what `separate`, `remix`, `evaluate` and `weights` need (see docs/install.md):
#
#     docker build -t hiphopss .
#     docker run --rm -u "$(id -u)" -v "$PWD:/music" hiphopss separate song.wav -o stems
FROM python:3.13-slim AS build
COPY . /source
RUN pip install --no-cache-dir --prefix=/installed /source

FROM python:3.13-slim
COPY --from=build /installed /usr/local
RUN useradd --create-home hiphopss && mkdir /music && chown hiphopss /music
USER hiphopss
WORKDIR /music
ENTRYPOINT ["hiphopss"]
CMD ["--help"]
